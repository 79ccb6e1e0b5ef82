"""The interface between engine and framework, tested on the backend of this process."""

import contextlib
import importlib
import os
import sys
from pathlib import Path

import numpy as np
import pytest

from trivium.backends import runtime
from trivium.backends.workers.worker import Worker

FUNCTIONS = Path(__file__).parents[1] / "helpers" / "functions_for_workers.py"


@pytest.fixture(scope="module")
def current(backend):
    return runtime.current()


@pytest.fixture(scope="module")
def single_threaded(backend):
    """A separate worker, as it is limited to one thread and made deterministic, which cannot be undone."""
    with Worker(backend.name, threads=1) as process:
        yield process


def test_the_runtime_is_that_of_the_backend(current, backend):
    room = importlib.import_module(f"trivium.backends.{backend.name}.runtime")
    assert current is room.RUNTIME
    assert runtime.current() is current


def test_asking_for_it_imports_keras_under_that_backend(current, backend):
    assert sys.modules["keras"].config.backend() == backend.name
    assert backend.package in sys.modules


def test_the_cpu_is_the_last_of_the_devices(current):
    devices = current.devices()
    assert {device.kind for device in devices} <= {"cpu", "gpu", "tpu"}
    assert len({device.name for device in devices}) == len(devices)
    assert devices[-1].kind == "cpu", "accelerators come first, because they are the default"
    assert devices[-1].description == runtime.processor() != ""


def test_threads_are_no_more_than_a_process_may_use(current):
    assert 1 <= current.threads() <= (os.cpu_count() or 1)


def test_synchronise_accepts_none_one_array_and_a_nest_of_arrays(current):
    import keras

    doubled = keras.ops.ones((64, 64)) * 2
    for value in (None, doubled, [doubled, {"inner": (doubled, doubled)}]):
        assert current.synchronise(value) is None
    assert keras.ops.convert_to_numpy(doubled).sum() == 2 * 64 * 64


def test_memory_is_counted_on_accelerators_only(current):
    peak = current.device_memory_peak()
    if current.devices()[0].kind == "cpu":
        assert peak is None
    else:
        assert peak > 0


def test_versions_are_those_that_are_imported(current, backend):
    versions = current.versions()
    assert versions[backend.package] == sys.modules[backend.package].__version__
    assert all(isinstance(version, str) and version for version in versions.values())


def test_a_limit_on_threads_is_in_force(single_threaded):
    assert single_threaded.call(f"{FUNCTIONS}:threads", timeout=300) == 1


def test_deterministic_mode_gives_the_same_bits_twice(single_threaded):
    once, again = single_threaded.call(f"{FUNCTIONS}:same_results_twice", timeout=300)
    assert once.shape == (2, 10, 10, 4)
    assert np.ptp(once) > 0
    np.testing.assert_array_equal(once, again)


def test_a_room_that_cannot_be_imported_fails_and_gives_standard_error_back(backend, capfd):
    with pytest.raises(ModuleNotFoundError, match="nosuch"):
        runtime._import_room.__wrapped__("nosuch")
    os.write(2, b"still here\n")
    assert capfd.readouterr().err == "still here\n"


def test_the_peak_of_main_memory_grows_by_what_is_allocated(backend):
    with Worker(backend.name) as fresh:
        before, after, size = fresh.call(f"{FUNCTIONS}:memory_peak_around", 128, timeout=60)
    assert size == 128 * 2**20
    assert 0.9 * size < after - before < 2 * size


def test_cores_are_those_that_this_process_may_run_on():
    assert 1 <= runtime.cores() <= os.cpu_count()
    if hasattr(os, "sched_getaffinity"):
        assert runtime.cores() == len(os.sched_getaffinity(0))


def test_gradients_are_those_of_the_loss_with_everything_that_layers_add_to_it(current):
    import keras

    dense = keras.layers.Dense(1, kernel_regularizer=keras.regularizers.L2(0.1))
    model = keras.Sequential([keras.Input((2,)), dense])
    model.compile(optimizer="sgd", loss="mean_squared_error")
    dense.set_weights([np.array([[1.0], [2.0]], "float32"), np.array([0.5], "float32")])
    x, y = np.array([[1.0, 0.0], [0.0, 1.0]], "float32"), np.array([[0.0], [0.0]], "float32")
    loss, (kernel, bias) = current.gradients(model, x, y)
    # Answers 1.5 and 2.5; the squares of the kernel are 1 and 4.
    assert loss == pytest.approx((1.5**2 + 2.5**2) / 2 + 0.1 * 5)
    np.testing.assert_allclose(kernel, [[1.5 + 0.2], [2.5 + 0.4]], rtol=1e-6)
    np.testing.assert_allclose(bias, [4.0], rtol=1e-6)


def test_the_gradient_of_an_embedding_is_dense_and_sums_repeated_rows(current):
    import keras

    model = keras.Sequential([keras.Input((3,), dtype="int32"), keras.layers.Embedding(4, 1)])
    model.compile(optimizer="sgd", loss=lambda y, answers: keras.ops.sum(answers))
    _, (gradient,) = current.gradients(model, np.array([[1, 1, 3]], "int32"), np.zeros((1, 3, 1), "float32"))
    np.testing.assert_allclose(gradient[:, 0], [0, 2, 0, 1])


def test_asking_for_gradients_leaves_the_model_as_it_was(current):
    import keras

    inputs = keras.Input((3,))
    # With a seed of its own, without which PyTorch draws from a generator that belongs to no model.
    hidden = keras.layers.Dropout(0.5, seed=3)(keras.layers.BatchNormalization()(inputs))
    model = keras.Model(inputs, [keras.layers.Dense(1)(hidden), keras.layers.Dense(2)(hidden)])
    model.compile(optimizer="adam", loss=["mean_squared_error", "mean_absolute_error"])
    x, y = np.eye(4, 3, dtype="float32"), [np.ones((4, 1), "float32"), np.ones((4, 2), "float32")]
    model.test_on_batch(x, y)
    everything = [*model.variables, *model.metrics_variables]
    before = [np.array(variable.numpy()) for variable in everything]
    first, second = current.gradients(model, x, y), current.gradients(model, x, y)
    for variable, value in zip(everything, before, strict=True):
        np.testing.assert_array_equal(variable.numpy(), value, err_msg=variable.path)
    for once, again in zip(first[1], second[1], strict=True):
        np.testing.assert_array_equal(once, again)
    assert max(np.abs(gradient).max() for gradient in first[1]) > 0.1


def test_gradients_do_not_change_the_states_of_a_stateful_layer(current):
    import keras

    model = keras.Sequential([keras.Input(batch_shape=(2, 3, 1)), keras.layers.LSTM(2, stateful=True)])
    model.compile(optimizer="sgd", loss="mean_squared_error")
    x, y = np.ones((2, 3, 1), "float32"), np.ones((2, 2), "float32")
    assert current.gradients(model, x, y)[0] == current.gradients(model, x, y)[0]
    np.testing.assert_array_equal(model.layers[0].states[0].numpy(), 0)


@pytest.fixture
def float64_by_default(backend):
    import keras

    before = keras.config.floatx()
    keras.config.set_floatx("float64")
    yield
    keras.config.set_floatx(before)


def in_float64():
    """Return the error of a relu of float64, plus that of a cast Python float, such as an optimizer's rate."""
    import keras

    x = np.linspace(0.1, 1.0, 7)
    positive = keras.ops.maximum(keras.ops.convert_to_tensor(x, "float64"), 0.0)
    rate = float(keras.ops.convert_to_numpy(keras.ops.cast(0.999, "float64")))
    return np.abs(keras.ops.convert_to_numpy(positive) - x).max() + abs(rate - 0.999)


def test_double_precision_is_double_while_it_lasts(current, float64_by_default):
    with current.double_precision():
        assert in_float64() < 1e-15


def test_keras_still_loses_float64_by_itself(current, float64_by_default):
    """When this fails, Keras computes in float64 by itself, and that backend's `double_precision` can go."""
    assert in_float64() > 1e-9


def test_pytorch_still_needs_its_copies_of_states(backend):
    """When this fails, Keras trains stateful layers on PyTorch by itself, and `_use_copied_states` can go."""
    if backend.name != "torch":
        pytest.skip("for PyTorch's room")
    import keras

    model = keras.Sequential([keras.Input(batch_shape=(4, 3, 1)), keras.layers.LSTM(2, stateful=True)])
    model.compile(optimizer="sgd", loss="mse")
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        model.train_on_batch(np.ones((4, 3, 1), "float32"), np.ones((4, 2), "float32"))


def test_jax_still_needs_its_states_tracked(backend):
    """When this fails, Keras carries states under JAX by itself, and `_track_states` can go."""
    if backend.name != "jax":
        pytest.skip("for JAX's room")
    import keras

    model = keras.Sequential([keras.Input(batch_shape=(4, 3, 1)), keras.layers.LSTM(2, stateful=True)])
    x = np.ones((4, 3, 1), "float32")
    np.testing.assert_array_equal(model.predict_on_batch(x), model.predict_on_batch(x))


def step_of_adam(context):
    """Return how far one step of Adam at a rate of 0.1 moves an embedding that a batch looks up three times."""
    import keras

    table = keras.layers.Embedding(4, 2, embeddings_initializer="zeros")
    model = keras.Sequential([keras.Input((1,), dtype="int32"), table])
    model.compile(keras.optimizers.Adam(0.1), "mean_squared_error")
    with context(model):
        model.train_on_batch(np.zeros((3, 1), "int32"), np.ones((3, 1, 2)))
    return np.array(table.get_weights()[0][0]), model


def test_the_gradients_of_a_repeated_token_are_added_before_an_optimizer_squares_them(current):
    moved, model = step_of_adam(current.dense_gradients)
    np.testing.assert_allclose(moved, 0.1, rtol=1e-4)  # Adam's first step has the length of its rate
    assert "apply" not in vars(model.optimizer)


def test_keras_still_squares_the_gradients_of_a_repeated_token_apart(current, backend):
    """If this fails, Keras' optimizers treat sparse gradients as dense ones: `dense_gradients` can go."""
    if backend.name != "tensorflow":
        pytest.skip("for TensorFlow: other backends have no sparse gradients")
    moved, _ = step_of_adam(lambda model: contextlib.nullcontext())
    np.testing.assert_allclose(moved, 0.1 * np.sqrt(3), rtol=1e-4)


def test_jax_says_that_it_trains_spectral_normalisation_otherwise(current, backend):
    import keras

    model = keras.Sequential(
        [keras.Input((3,)), keras.layers.SpectralNormalization(keras.layers.Dense(2), name="norm")]
    )
    expected = "norm: Keras trains SpectralNormalization otherwise under JAX"
    assert [text.startswith(expected) for text in current.deviations(model)] == [True] * (backend.name == "jax")
    assert not current.deviations(keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)]))
