"""A layer that a user writes with `keras.ops` becomes source by its operations, with its weights."""

import re

import numpy as np
import own_convolutions
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
    return own_layers.models() | own_convolutions.models()


NAMES = (*own_layers.NAMES, *own_convolutions.NAMES)


@pytest.mark.parametrize("name", NAMES)
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


@pytest.mark.parametrize("name", NAMES)
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


# For each model the class of the source, or its function, and how often it is used; and the layer that it is.
CLASSES = {
    "scale": ("Scale", 1, "scale"),
    "listed": ("Listed", 1, "listed"),
    "block": ("Block", 1, "block"),
    "tied": ("Tied", 1, "tied"),
    "class token, tiled": ("ClassToken", 1, "class_token"),
    "encoder": ("Scaled", 2, "encoder_scaled"),
}


@pytest.mark.parametrize("name", CLASSES)
def test_the_source_has_the_class_of_the_layer_with_its_weights(name, builders, room, tmp_path):
    class_name, uses, layer = CLASSES[name]
    function = re.sub(r"(?<!^)(?=[A-Z])", "_", class_name).lower()
    source = models.write_source(models.build_model(builders[name]), room, tmp_path)
    defined = re.findall(r"^(?:class|def) (\w+)", source.model, re.MULTILINE)
    assert defined.count(class_name) + defined.count(function) == 1
    assert {weight.partition(".")[0] for weight in source.weights} == {layer, f"{layer}_1"} if uses > 1 else {layer}
    calls = re.findall(rf"= (?:{class_name}\(|{function}\()", source.model)
    assert len(calls) == uses, source.model


def test_a_layer_that_is_called_twice_stays_one_layer_with_its_weights(builders, room, tmp_path):
    source = models.write_source(models.build_model(builders["called twice"]), room, tmp_path)
    assert sorted(value.shape for value in source.weights.values()) == [(4,), (4,)]


def own_models():
    """Return models with a `call` of their own, and what they are called with."""
    import keras

    class Net(keras.Model):
        def __init__(self):
            super().__init__()
            self.hidden, self.out = keras.layers.Dense(4, activation="relu"), keras.layers.Dense(2)

        def call(self, x, training=None):
            return self.out(self.hidden(x))

    class Words(keras.Model):
        def __init__(self):
            super().__init__()
            self.table, self.dense = keras.layers.Embedding(9, 4), keras.layers.Dense(2)

        def call(self, inputs):
            words, numbers = inputs
            return {"sum": self.dense(keras.ops.mean(self.table(words), axis=1)) + numbers, "numbers": numbers * 2}

    words = np.ones((2, 5), "int32"), np.ones((2, 2), "float32")
    return (Net(), np.ones((2, 3), "float32"), ["float32"]), (Words(), words, ["int32", "float32"])


@pytest.mark.parametrize("place", [0, 1])
def test_a_model_with_a_call_of_its_own_becomes_source(place, backend, room, tmp_path):
    from trivium.porting.keras_to_graph.subclassed import over_inputs

    model, data, dtypes = own_models()[place]
    model(data)
    models.randomise(model)
    functional = over_inputs(model)
    assert [tensor.dtype for tensor in functional.inputs] == dtypes
    source = models.write_source(functional, room, tmp_path)
    models.require_same_answers(functional, source, tmp_path)
    assert {weight.partition(".")[0] for weight in source.weights} <= {"dense", "dense_1", "embedding"}


def test_a_model_that_was_never_called_is_refused(backend):
    with pytest.raises(PortError, match="the shapes of its inputs are not known: call it once on data"):
        read(own_models()[0][0])


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
