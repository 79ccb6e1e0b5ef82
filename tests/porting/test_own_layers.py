"""A layer that a user writes with `keras.ops` becomes source by its operations, with its weights."""

import numpy as np
import own_layers
import pytest
import written_models as models

from trivium.errors import PortError


def read(model):
    from trivium.porting.keras_to_graph import model as reading  # imports Keras

    return reading.read(model)


@pytest.fixture(scope="module")
def room(backend):
    return models.room_of(backend)


@pytest.fixture(scope="module")
def builders(backend):
    return own_layers.models()


@pytest.mark.parametrize("name", own_layers.NAMES)
def test_the_source_predicts_what_the_model_predicts(name, builders, room, tmp_path):
    model = models.build_model(builders[name])
    models.randomise(model)
    source = models.write_source(model, room, tmp_path)
    for samples in (3, 1):
        inputs = models.random_inputs(model, samples, seed=samples)
        expected = models.keras_answers(model, inputs)
        received = models.source_answers(source, tmp_path, inputs)
        for one, other in zip(expected, received, strict=True):
            np.testing.assert_allclose(other, one, atol=1e-5)


@pytest.mark.parametrize("name", own_layers.NAMES)
def test_every_weight_is_one_weight_of_the_graph_and_trained_as_in_keras(name, builders):
    model = models.build_model(builders[name])
    trained, fixed = 0, 0
    for layer in read(model).layers:
        size = sum(value.size for value in layer.weights.values())
        if layer.kind == "constant":
            fixed += size
        else:
            trained += size
    assert trained == sum(int(np.prod(variable.shape)) for variable in model.trainable_variables)
    kept = [variable for variable in model.non_trainable_variables if "seed" not in variable.path]
    assert fixed >= sum(int(np.prod(variable.shape)) for variable in kept)


def test_every_parameter_of_source_for_jax_has_a_gradient(builders):
    from trivium.backends.jax import source

    weights = source.write(read(models.build_model(builders["long mask"]))).weights
    assert {name: value.dtype.kind for name, value in weights.items() if value.dtype.kind != "f"} == {}
    assert len(weights) == 2


def test_reading_leaves_the_layers_as_they_were(builders):
    model = models.build_model(builders["listed"])
    (inputs,) = models.random_inputs(model)
    before = [(variable.path, np.asarray(variable.numpy())) for variable in model.variables]
    expected = models.keras_answers(model, [inputs])
    read(model)
    for variable, (path, value) in zip(model.variables, before, strict=True):
        assert variable.path == path
        np.testing.assert_array_equal(variable.numpy(), value)
    np.testing.assert_array_equal(models.keras_answers(model, [inputs])[0], expected[0])
    assert not any("tensor" in type(value).__name__.lower() for value in vars(model.layers[-1]).values())


def test_what_cannot_be_traced_is_refused_with_the_reason(backend):
    import keras

    for layer, reason in own_layers.refused().items():
        x = keras.Input((4,))
        model = keras.Model(x, layer()(x))
        with pytest.raises(PortError, match="cannot be written as source") as refusal:
            read(model)
        assert reason in str(refusal.value)
        assert "\n" not in str(refusal.value)
