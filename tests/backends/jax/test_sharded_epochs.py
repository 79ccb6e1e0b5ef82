"""An epoch whose batches are sharded over the parts of the CPU is the epoch of whole batches, but for rounding."""

import contextlib
import subprocess
import sys

import numpy as np
import pytest

from trivium.backends import runtime
from trivium.backends.epochs import build_metrics
from trivium.backends.same_run.portable_random import portable_draws

GENERATOR = np.random.default_rng(0)
PICTURES = GENERATOR.normal(size=(23, 6, 6, 1)).astype("float32")
ROWS = GENERATOR.normal(size=(23, 3)).astype("float32")
# With steps that are queued behind one another, four such trainings of five came to a stop on two cores.
MANY_STEPS = """
import numpy as np
import trivium

generator = np.random.default_rng(0)
pictures = generator.uniform(0, 255, (60_000, 28, 28, 1)).astype("float32")
data = pictures, generator.integers(0, 10, 60_000)
trivium.train("cnn/striding-batchnorm", data=data, epochs=2, plan="sharded")
"""
CLASSES = GENERATOR.integers(0, 3, 23)
WEIGHTS = GENERATOR.uniform(0.5, 2, 23).astype("float32")


@pytest.fixture
def sharded(backend):
    """The plan that shards batches; skips if the backend has none here."""
    plan = next((plan for plan in runtime.current().plans(one_input(), 1) if plan.name == "sharded"), None)
    if plan is None:
        pytest.skip("only JAX shards batches, on a CPU of several cores")
    return plan


@contextlib.contextmanager
def default_floatx(floatx):
    """Within this context, layers and variables have this dtype."""
    import keras

    before = keras.config.floatx(), keras.config.dtype_policy()
    keras.config.set_floatx(floatx)
    keras.config.set_dtype_policy(floatx)
    try:
        with runtime.current().double_precision() if floatx == "float64" else contextlib.nullcontext():
            yield
    finally:
        keras.config.set_floatx(before[0])
        keras.config.set_dtype_policy(before[1])


def convolved(pictures):
    from keras import layers

    x = layers.Conv2D(4, 3, padding="same", activation="relu")(pictures)
    x = layers.MaxPooling2D()(layers.Dropout(0.4, seed=2)(layers.BatchNormalization()(x)))
    return layers.Flatten()(x)


def one_input():
    import keras

    keras.utils.set_random_seed(1)
    pictures = keras.Input((6, 6, 1))
    model = keras.Model(pictures, keras.layers.Dense(3, "softmax")(convolved(pictures)))
    model.compile(keras.optimizers.Adam(0.01, clipnorm=1.0), "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def several_inputs():
    import keras

    keras.utils.set_random_seed(1)
    pictures, rows = keras.Input((6, 6, 1)), keras.Input((3,))
    x = keras.layers.Concatenate()([convolved(pictures), keras.layers.GaussianNoise(0.1, seed=3)(rows)])
    outputs = [keras.layers.Dense(3, "softmax", name="class")(x), keras.layers.Dense(3, name="row")(x)]
    model = keras.Model([pictures, rows], outputs)
    model.compile(keras.optimizers.SGD(0.05), ["sparse_categorical_crossentropy", "mse"])
    return model


def trained(build, plan, size, data):
    """Return the weights after two epochs, and the metrics of the second and of an evaluation."""
    model = build()
    build_metrics(model, *data[:2])
    with portable_draws(), runtime.current().tuned(model):
        epochs = runtime.current().compile_epochs(model, data, size, plan)
        for seed in range(2):
            epochs.reset()
            epochs.begin(np.random.default_rng(seed).permutation(23))
            epochs.run(0, 1)
            epochs.run(1, epochs.steps)
            epochs.end()
        results = epochs.results()
        epochs.reset()
        epochs.evaluate()
        evaluated = epochs.results()
    # Bound to a device, they would make JAX compile each other plan anew.
    assert not any(variable.value.committed for variable in model.variables)
    return [np.array(weight) for weight in model.get_weights()], results, evaluated


@pytest.mark.parametrize(
    ("build", "size", "data", "floatx", "tolerance"),
    [
        pytest.param(one_input, 5, (PICTURES, CLASSES, WEIGHTS), "float32", 1e-6, id="odd batches, sample weights"),
        pytest.param(one_input, 8, (PICTURES, CLASSES), "float64", 1e-10, id="float64", marks=pytest.mark.slow),
        pytest.param(
            several_inputs,
            4,
            ([PICTURES, ROWS], [CLASSES, ROWS]),
            "float32",
            1e-6,
            id="several",
            marks=pytest.mark.slow,
        ),
    ],
)
def test_a_sharded_epoch_is_that_of_whole_batches(sharded, build, size, data, floatx, tolerance):
    import keras

    with default_floatx(floatx):
        data = keras.tree.map_structure(lambda x: x.astype(floatx) if x.dtype.kind == "f" else x, data)
        whole = runtime.current().plans(build(), 1)[0]
        (weights, *metrics), (expected, *expected_metrics) = (
            trained(build, plan, size, data) for plan in (sharded, whole)
        )
    assert {str(weight.dtype) for weight in weights} == {floatx}
    for weight, other in zip(weights, expected, strict=True):
        np.testing.assert_allclose(weight, other, rtol=tolerance, atol=tolerance)
    for values, others in zip(metrics, expected_metrics, strict=True):
        assert values == pytest.approx(others, rel=10 * tolerance)


def test_the_parts_of_the_cpu_are_one_device(sharded):
    assert [device.kind for device in runtime.current().devices()] == ["cpu"]


def test_a_model_without_convolutions_is_not_sharded(sharded):
    import keras

    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    assert sharded not in runtime.current().plans(model, 1)


@pytest.mark.slow
def test_many_steps_do_not_wait_for_one_another(sharded):
    # In a process of its own: XLA ends one whose devices have waited for one another for 40 seconds.
    assert subprocess.run([sys.executable, "-c", MANY_STEPS], timeout=550).returncode == 0


def test_a_step_is_through_when_its_call_returns(sharded):
    model = one_input()
    build_metrics(model, PICTURES, CLASSES)
    epochs = runtime.current().compile_epochs(model, (PICTURES, CLASSES), 8, sharded)
    epochs.begin(np.arange(23))
    _, state = epochs._train_one(*epochs._step_arguments(), 0, 8)
    assert all(array.is_ready() for group in state for array in group)
