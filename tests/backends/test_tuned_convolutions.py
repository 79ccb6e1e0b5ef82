"""Tuned convolutions and poolings have the same outputs and gradients as Keras' own."""

import numpy as np
import pytest

from trivium.backends import runtime
from trivium.engine.verification.parity import difference

# The layer's settings and the shape of a batch, channels last; some sizes are no multiple of the window.
CONVOLUTIONS = {
    "one channel": ({"kernel_size": 5, "padding": "same"}, (3, 9, 9, 1)),
    "one channel, every second pixel": ({"kernel_size": 5, "padding": "same", "strides": 2}, (3, 9, 12, 1)),
    "one channel, valid": ({"kernel_size": (3, 2), "strides": (2, 3)}, (2, 10, 9, 1)),
    "one channel, strides beyond the kernel": ({"kernel_size": 1, "strides": 3, "padding": "same"}, (2, 8, 7, 1)),
    "even kernel": ({"kernel_size": (4, 2), "padding": "same"}, (2, 7, 6, 1)),
    "many channels": ({"kernel_size": 3, "padding": "same"}, (2, 6, 5, 17)),
    "many channels, even kernel": ({"kernel_size": (2, 4), "padding": "same"}, (2, 6, 5, 3)),
    "many channels, valid": ({"kernel_size": (3, 1)}, (2, 6, 5, 3)),
    "many channels, every second pixel": ({"kernel_size": 3, "strides": 2}, (2, 8, 7, 3)),
    "a kernel as large as the picture": ({"kernel_size": 6}, (2, 6, 6, 1)),
    "single pixels": ({"kernel_size": 1}, (2, 5, 4, 3)),
    "every third pixel": ({"kernel_size": 1, "strides": (3, 2), "padding": "same"}, (2, 8, 7, 3)),
    "dilated": ({"kernel_size": 3, "dilation_rate": 2, "padding": "same"}, (2, 9, 8, 1)),
    "in groups": ({"kernel_size": 3, "groups": 2}, (2, 6, 6, 4)),
}
ENLARGEMENTS = {
    "squares": {"kernel_size": 2, "strides": 2},
    "oblongs, same": {"kernel_size": (3, 2), "strides": (3, 2), "padding": "same", "activation": "tanh"},
    "without a bias": {"kernel_size": 2, "strides": 2, "use_bias": False},
    "overlapping": {"kernel_size": 3, "strides": 2},
    "with gaps": {"kernel_size": 2, "strides": 3},
    "dilated": {"kernel_size": 2, "strides": 1, "dilation_rate": 2},
}
POOLINGS = {
    "halves": ({"pool_size": 2}, (2, 8, 6, 3)),
    "odd sizes": ({"pool_size": 2}, (2, 7, 5, 3)),
    "odd sizes, same": ({"pool_size": 2, "padding": "same"}, (2, 7, 5, 3)),
    "oblong": ({"pool_size": (3, 2), "padding": "same"}, (2, 7, 5, 1)),
    "a single place": ({"pool_size": 1}, (2, 3, 4, 2)),
    "overlapping": ({"pool_size": 3, "strides": 2}, (2, 9, 7, 2)),
    "sequences": ({"pool_size": 3, "padding": "same"}, (2, 10, 4)),
    "volumes": ({"pool_size": 2}, (2, 4, 5, 6, 2)),
    "large windows": ({"pool_size": 5}, (2, 11, 10, 2)),
}


@pytest.fixture(params=["channels_last", "channels_first"])
def data_format(request, backend):
    """The data format; skips the one that TensorFlow cannot compute on a CPU."""
    on_cpu = runtime.current().devices()[0].kind == "cpu"
    if request.param == "channels_first" and backend.name == "tensorflow" and on_cpu:
        pytest.skip("TensorFlow computes channels first on a GPU only")
    return request.param


def drawn(shape, data_format="channels_last"):
    """Return a batch of normal floats; the first sample has only two values, so that most windows have ties."""
    generator = np.random.default_rng(1)
    x = generator.normal(size=shape)
    x[0] = generator.integers(0, 2, shape[1:])
    return (np.moveaxis(x, -1, 1) if data_format == "channels_first" else x).astype("float32")


def model_of(layers, shape):
    """Return a model of the layers, after one that adds a zero weight to each input: its gradient is the inputs'."""
    import keras

    class Added(keras.layers.Layer):
        def build(self, _):
            self.zeros = self.add_weight(shape=shape, initializer="zeros")

        def call(self, inputs):
            return inputs + self.zeros

    model = keras.Sequential([keras.Input(shape[1:], batch_size=shape[0]), Added(), *layers])
    model.compile("sgd", "mean_squared_error")
    return model


def answered(model, x):
    """Return the outputs for a batch, and the gradient of each weight, that of the inputs first."""
    import keras

    outputs = keras.ops.convert_to_numpy(model(x))
    target = np.random.default_rng(2).normal(size=outputs.shape).astype("float32")
    return [outputs, *runtime.current().gradients(model, x, target)[1]]


def both(model, x):
    """Return pairs of outputs and gradients: by Keras, and tuned."""
    by_keras = answered(model, x)
    with runtime.current().tuned(model):
        by_tuned = answered(model, x)
    return list(zip(by_keras, by_tuned, strict=True))


@pytest.mark.shared_out
@pytest.mark.parametrize("case", CONVOLUTIONS)
def test_a_tuned_convolution_answers_and_learns_as_keras_does(case, data_format):
    import keras

    settings, shape = CONVOLUTIONS[case]
    x = drawn(shape, data_format)
    model = model_of([keras.layers.Conv2D(4, data_format=data_format, **settings)], x.shape)
    pairs = both(model, x)
    assert len(pairs) == 4  # the outputs, and the gradients by the inputs, the kernel and the bias
    for expected, actual in pairs:
        assert np.abs(expected).max() > 0
        assert difference(expected, actual).relative <= 1e-5


@pytest.mark.shared_out
@pytest.mark.parametrize("case", ENLARGEMENTS)
def test_a_tuned_transposed_convolution_answers_and_learns_as_keras_does(case, data_format):
    import keras

    x = drawn((2, 5, 4, 3), data_format)
    model = model_of([keras.layers.Conv2DTranspose(4, data_format=data_format, **ENLARGEMENTS[case])], x.shape)
    for expected, actual in both(model, x):
        assert np.abs(expected).max() > 0
        assert difference(expected, actual).relative <= 1e-5


@pytest.mark.shared_out
@pytest.mark.parametrize("case", POOLINGS)
def test_a_tuned_pooling_gives_each_gradient_to_the_maximum_that_keras_gives_it_to(case, data_format):
    import keras

    settings, shape = POOLINGS[case]
    x = drawn(shape, data_format)
    kind = getattr(keras.layers, f"MaxPooling{len(shape) - 2}D")
    for expected, actual in both(model_of([kind(data_format=data_format, **settings)], x.shape), x):
        assert np.abs(expected).max() > 0
        np.testing.assert_array_equal(actual, expected)


def test_a_whole_recipe_has_the_same_gradients_when_tuned(backend):
    from trivium.models.recipe import find

    model = find("cnn/pooling")(filters=(3, 2), dropout=0.0)
    model.compile("sgd", "mean_squared_error")
    for expected, actual in both(model, drawn((5, *model.inputs[0].shape[1:]))):
        assert difference(expected, actual).relative <= 1e-5


def test_a_narrower_float_and_a_convolution_of_ones_own_are_left_to_keras(backend):
    import keras

    class Doubled(keras.layers.Conv2D):
        def convolution_op(self, inputs, kernel):
            return 2 * super().convolution_op(inputs, kernel)

    layers = [Doubled(2, 3), keras.layers.Conv2D(2, 3, dtype="mixed_bfloat16"), keras.layers.MaxPooling2D(2)]
    x = drawn((2, 10, 9, 1))
    model = model_of([*layers, keras.layers.Activation("linear", dtype="float32")], x.shape)
    for expected, actual in both(model, x):
        assert difference(expected, actual).relative <= 1e-5


def test_nothing_of_it_stays_in_the_model(backend, tmp_path):
    import keras

    model = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Conv2D(2, 3), keras.layers.MaxPooling2D(2)])
    config, before = model.get_config(), [set(vars(layer)) for layer in model.layers]
    with runtime.current().tuned(model):
        model.save(tmp_path / "tuned.keras")
    with pytest.raises(ValueError, match="incompatible"), runtime.current().tuned(model):
        model(np.zeros((2, 8, 8, 3), "float32"))
    assert [set(vars(layer)) for layer in model.layers] == before
    assert model.get_config() == config
    loaded = keras.saving.load_model(tmp_path / "tuned.keras")
    x = drawn((2, 8, 8, 1))
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(loaded(x)), keras.ops.convert_to_numpy(model(x)))


def test_convolutions_and_poolings_are_tuned_on_a_cpu(backend):
    """Otherwise the other tests would compare Keras with itself if the layers' methods were renamed."""
    import keras

    if backend.name == "tensorflow" or runtime.current().devices()[0].kind != "cpu":
        pytest.skip(f"{backend.title} computes convolutions on this device as Keras does")
    layers = [keras.layers.Conv2D(2, 3), keras.layers.MaxPooling2D(2)]
    model = keras.Sequential([keras.Input((8, 8, 1)), *layers])
    with runtime.current().tuned(model):
        assert {"convolution_op", "call"} & set(vars(model.layers[0]))
        assert "call" in vars(model.layers[1])


CODES = {"letters": (2, 5), "one letter": (3, 1), "a picture of them": (2, 3, 4)}


@pytest.mark.parametrize("dtype", ["int32", "int64", "float32"])
@pytest.mark.parametrize("case", CODES)
def test_tuned_one_hot_codes_are_those_of_keras(backend, case, dtype):
    import keras

    x = np.random.default_rng(3).integers(0, 6, CODES[case]).astype(dtype)
    layer = keras.layers.CategoryEncoding(6, output_mode="one_hot")
    model = keras.Sequential([keras.Input(x.shape[1:], dtype=dtype), layer])
    expected = keras.ops.convert_to_numpy(model(x))
    assert expected.sum() == x.size
    with runtime.current().tuned(model):
        actual = keras.ops.convert_to_numpy(model(x))
        assert ("call" in vars(layer)) == (backend.name == "torch")
    assert actual.dtype == expected.dtype
    np.testing.assert_array_equal(actual, expected)
    assert "call" not in vars(layer)
