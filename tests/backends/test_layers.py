"""Tuned layers against Keras' own: the same outputs and gradients, and nothing left behind."""

import contextlib

import numpy as np
import pytest

from trivium.backends import runtime
from trivium.engine.verification.parity import difference

# The layer's settings and the shape of a batch; some sizes are no multiple of a vector length.
NATIVE = {
    "plain": ({}, (5, 7, 3)),
    "one more step than is spelled out": ({}, (5, 9, 3)),
    "one of everything": ({"units": 1}, (1, 1, 1)),
    "odd sizes": ({"units": 13}, (3, 11, 17)),
    "sequences": ({"return_sequences": True}, (4, 6, 2)),
    "backwards": ({"go_backwards": True}, (4, 6, 2)),
    "backwards sequences": ({"go_backwards": True, "return_sequences": True}, (4, 6, 2)),
    "dropout": ({"dropout": 0.4, "seed": 3}, (4, 6, 5)),
    "dropout backwards": ({"dropout": 0.4, "seed": 3, "go_backwards": True}, (4, 6, 5)),
}
BY_KERAS = {
    "another activation": {"activation": "relu"},
    "another gate": {"recurrent_activation": "hard_sigmoid"},
    "no bias": {"use_bias": False},
    "recurrent dropout": {"recurrent_dropout": 0.3, "seed": 3},
    "unrolled": {"unroll": True},
}


@pytest.fixture(params=["LSTM", "GRU"])
def recurrent(request, backend):
    """Return a function that creates a recurrent layer with large random weights; skips if the backend tunes none."""
    import keras

    kind = getattr(keras.layers, request.param)
    trial = keras.Sequential([keras.Input((2, 1)), kind(1)])
    if not replaced(trial):
        pytest.skip("this backend tunes no layers")
    if backend.name == "jax" and request.param == "GRU":
        pytest.skip("JAX spells out both in the same way, and compiles each of them for seconds")

    def make(units=4, **settings):
        uniform = keras.initializers.RandomUniform(-1, 1, seed=1)
        initial = {"bias_initializer": uniform, "recurrent_initializer": uniform, **settings}
        return kind(units, kernel_initializer=uniform, **initial)

    return make


def replaced(model):
    """Return the names of the layers whose computation is replaced while the model is tuned."""
    from trivium.backends.epochs import layers_of

    with runtime.current().tuned(model):
        return [layer.name for layer in layers_of(model) if "inner_loop" in vars(layer)]


def answers_of(model, x):
    import keras

    return keras.ops.convert_to_numpy(keras.ops.cast(model(x), "float32"))


def outcome(model, x):
    """Return the model's outputs, its loss in training and the gradients of the loss."""
    model.compile("sgd", "mean_squared_error")
    answers = answers_of(model, x)
    y = np.random.default_rng(2).normal(size=answers.shape).astype("float32")
    loss, gradients = runtime.current().gradients(model, x, y)
    return {"answers": answers, "loss": np.array([loss]), **dict(enumerate(gradients))}


def require_same_when_tuned(model, x):
    with runtime.unchanged(model):  # the seeds of its dropout too
        expected = outcome(model, x)
    with runtime.current().tuned(model):
        actual = outcome(model, x)
    assert actual.keys() == expected.keys()
    for name, values in expected.items():
        if values.any():
            assert difference(values, actual[name]).relative < 1e-5, name
        else:
            assert not actual[name].any(), name


def sequences(*shape):
    return np.random.default_rng(1).normal(size=shape).astype("float32")


@pytest.mark.parametrize("case", NATIVE)
def test_a_native_layer_gives_what_keras_gives(recurrent, case):
    import keras

    settings, shape = NATIVE[case]
    model = keras.Sequential([keras.Input(shape[1:]), recurrent(**settings)])
    assert len(replaced(model)) == 1
    require_same_when_tuned(model, sequences(*shape))


@pytest.mark.parametrize("case", BY_KERAS)
def test_a_layer_that_no_native_kernel_supports_is_left_to_keras(recurrent, backend, case):
    import keras

    model = keras.Sequential([keras.Input((6, 2)), recurrent(**BY_KERAS[case])])
    require_left_to_keras(model, backend)
    require_same_when_tuned(model, sequences(4, 6, 2))


def require_left_to_keras(model, backend):
    """Assert that no layer is replaced, except under JAX, which unrolls Keras' own steps for every layer."""
    assert backend.name == "jax" or replaced(model) == []


def test_a_gate_that_resets_before_the_product_does_so_when_tuned(backend):
    import keras

    uniform = keras.initializers.RandomUniform(-1, 1, seed=1)
    layer = keras.layers.GRU(3, reset_after=False, recurrent_initializer=uniform, bias_initializer=uniform)
    model = keras.Sequential([keras.Input((6, 2)), layer])
    require_left_to_keras(model, backend)
    require_same_when_tuned(model, sequences(4, 6, 2))


def test_a_layer_of_a_users_own_is_left_to_itself(backend):
    import keras

    class Mine(keras.layers.LSTM):
        def inner_loop(self, sequences, initial_state, mask, training=False):
            last, outputs, states = super().inner_loop(sequences, initial_state, mask, training)
            return last * 2, outputs * 2, states

    assert replaced(keras.Sequential([keras.Input((6, 2)), Mine(3)])) == []


def test_masked_steps_are_skipped_as_keras_skips_them(recurrent):
    import keras

    x = sequences(4, 6, 2)
    x[:, 4:] = 0
    x[1, :2] = 0
    model = keras.Sequential([keras.Input((6, 2)), keras.layers.Masking(), recurrent()])
    whole = keras.Sequential([model.layers[-1]])
    assert difference(answers_of(model, x), answers_of(whole, x)).relative > 1e-3, "the mask makes a difference"
    require_same_when_tuned(model, x)


def test_states_go_in_and_come_out(recurrent):
    import keras

    inputs, start = keras.Input((6, 2)), keras.Input((4,))
    layer = recurrent(return_state=True)
    states = [start, start * 2] if isinstance(layer, keras.layers.LSTM) else [start]
    model = keras.Model([inputs, start], keras.layers.Concatenate()(layer(inputs, initial_state=states)))
    assert replaced(model) == [layer.name]
    x = [sequences(3, 6, 2), sequences(3, 4)]
    assert difference(answers_of(model, x), answers_of(model, [x[0], x[1] * 0])).relative > 1e-3
    require_same_when_tuned(model, x)


def test_layers_within_layers_are_found(recurrent):
    import keras

    inner = keras.Sequential([keras.Input((3, 2)), recurrent()])
    model = keras.Sequential(
        [
            keras.Input((5, 3, 2)),
            keras.layers.TimeDistributed(inner),
            keras.layers.TimeDistributed(keras.layers.Dense(2)),
            keras.layers.Bidirectional(recurrent(return_sequences=True)),
            recurrent(),
        ]
    )
    assert len(replaced(model)) == 4, "one distributed, one each way, one alone"
    require_same_when_tuned(model, sequences(2, 5, 3, 2))


def test_a_narrower_float_is_computed_in_its_own_width(recurrent):
    import keras

    layer = recurrent(dtype="mixed_bfloat16")
    model = keras.Sequential([keras.Input((6, 2)), layer])
    x = sequences(4, 6, 2)
    expected = answers_of(model, x)
    with runtime.current().tuned(model):
        actual = answers_of(model, x)
    assert difference(expected, actual).relative < 3e-2


def test_nothing_of_it_stays_in_the_model(recurrent, tmp_path):
    import keras

    model = keras.Sequential([keras.Input((6, 2)), recurrent()])
    config, x = model.get_config(), sequences(4, 6, 2)
    with runtime.current().tuned(model):
        model.save(tmp_path / "tuned.keras")
    message = "shapes cannot be multiplied|contracting dimensions to have the same shape"
    with pytest.raises((RuntimeError, TypeError), match=message), runtime.current().tuned(model):
        model(sequences(4, 6, 3))  # of another width; the kernel itself would read past the end of its weights
    assert "inner_loop" not in vars(model.layers[0])
    assert model.get_config() == config
    loaded = keras.saving.load_model(tmp_path / "tuned.keras")
    assert type(loaded.layers[0]) is type(model.layers[0])
    np.testing.assert_array_equal(answers_of(loaded, x), answers_of(model, x))


@pytest.mark.parametrize(
    ("settings", "shape"),
    [
        ({}, (6, 5, 4, 3)),
        ({"scale": False}, (6, 5, 4, 3)),
        ({"center": False, "momentum": 0.5, "epsilon": 0.1}, (6, 5, 4, 3)),
        ({}, (1, 1, 1, 3)),
        ({}, (12, 3)),
        ({"axis": 1}, (6, 5, 4, 3)),
        ({"renorm": True}, (6, 5, 4, 3)),
        ({"trainable": False}, (6, 5, 4, 3)),
        ({"epsilon": 1e-6}, (6, 5, 4, 3)),
    ],
)
def test_batch_normalization_trains_as_keras_own(backend, generator, settings, shape):
    import keras

    x = generator.normal(2, 3, shape).astype("float32")
    y = generator.normal(size=shape).astype("float32")

    def trained(tuned):
        layer = keras.layers.BatchNormalization(**settings)
        model = keras.Sequential([keras.Input(shape[1:]), keras.layers.Dense(3, kernel_initializer="identity"), layer])
        model.compile(keras.optimizers.SGD(0.1), "mse")
        with runtime.current().tuned(model) if tuned else contextlib.nullcontext():
            loss, gradients = runtime.current().gradients(model, x, y)
            for _ in range(3):
                model.train_on_batch(x, y)
        assert "call" not in vars(layer)
        return [np.array(loss), *gradients, *model.get_weights(), model.predict(x, verbose=0)]

    for value, expected in zip(trained(True), trained(False), strict=True):
        np.testing.assert_allclose(value, expected, rtol=2e-5, atol=2e-6)
