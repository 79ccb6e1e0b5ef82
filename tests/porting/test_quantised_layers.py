"""Layers that Keras has quantised become source that computes with the integers as they do."""

import numpy as np
import pytest
import written_models as models

from trivium.errors import PortError


def texts(mode):
    """Return a model of every layer that Keras quantises, some of them within attention, quantised."""
    import keras

    layers = keras.layers
    words = keras.Input((6,), dtype="int32")
    x = layers.Embedding(20, 8, name="words")(words)
    x = layers.EinsumDense("abc,cd->abd", (6, 12), bias_axes="d", activation="relu", name="product")(x)
    x = layers.Bidirectional(layers.LSTM(4, return_sequences=True), name="both")(x)
    x = layers.Dense(8, activation="tanh", name="each")(x)
    x = layers.MultiHeadAttention(2, 4, name="attention")(x, x)
    model = keras.Model(words, layers.Dense(3, name="answer")(layers.Flatten()(x)))
    models.randomise(model)
    with pytest.warns(UserWarning, match="does not have a `quantize` method"):
        model.quantize(mode)
    return model


@pytest.fixture(scope="module")
def room(backend):
    return models.room_of(backend)


def test_the_source_computes_with_the_same_integers(backend, room, tmp_path):
    model = texts("int8")
    source = models.write_source(model, room, tmp_path)
    inputs = models.random_inputs(model, 16)
    (expected,), (received,) = models.keras_answers(model, inputs), models.source_answers(source, tmp_path, inputs)
    np.testing.assert_allclose(received, expected, atol=1e-5 * abs(expected).max())
    names = ("product_kernel", "each_kernel", "answer_kernel")
    kernels = [value for name, value in source.weights.items() if name.removesuffix(".value").endswith(names)]
    assert len(kernels) == len(names), sorted(source.weights)
    assert all(np.array_equal(kernel, np.rint(kernel)) for kernel in kernels)
    if backend.name != "jax":  # whose parameters are floats, so that they can be differentiated by
        assert {kernel.dtype.name for kernel in kernels} == {"int8"}


def test_weights_of_four_bits_are_refused_by_the_names_of_their_layers(room, tmp_path):
    with pytest.raises(PortError, match="answer: is quantised as int4, and only int8 is covered"):
        models.write_source(texts("int4"), room, tmp_path)


def test_a_layer_whose_scale_keras_leaves_out_is_refused(room, tmp_path):
    import keras

    steps = keras.Input((6, 8))
    model = keras.Model(steps, keras.layers.TimeDistributed(keras.layers.Dense(3), name="each")(steps))
    with pytest.warns(UserWarning, match="does not have a `quantize` method"):
        model.quantize("int8")
    with pytest.raises(PortError, match="each: Keras leaves out the scale of a quantised layer in TimeDistributed"):
        models.write_source(model, room, tmp_path)


def test_no_training_step_is_compared(backend):
    from trivium.porting.source_step import step_of

    batch = [np.ones((2, 6), "int32")]
    assert step_of(texts("int8"), batch, batch) == "the weights of words are quantised"


def test_a_function_with_a_gradient_of_its_own_becomes_what_it_computes(room, tmp_path):
    import keras
    from keras import ops

    class Clipped(keras.layers.Layer):
        """Rounds, with the gradient of its input."""

        def call(self, x):
            @ops.custom_gradient
            def rounded(x):
                return ops.round(4 * x) / 4, lambda *args, upstream=None: upstream if args == () else args[0]

            return rounded(x) + 1

    x = keras.Input((5,))
    model = keras.Model(x, Clipped()(x))
    source = models.write_source(model, room, tmp_path)
    models.require_same_answers(model, source, tmp_path)
