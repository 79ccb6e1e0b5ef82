"""Compare a backend's epochs with gradient descent in NumPy, and with single steps of the model itself."""

import inspect

import numpy as np
import pytest

from trivium.backends import runtime
from trivium.backends.epochs import build_metrics, has_convolutions, has_recurrence, layers_of
from trivium.backends.same_run.portable_random import portable_draws

RATE = 0.05
X = np.random.default_rng(0).normal(size=(23, 3)).astype("float32")
Y = (X @ [[1.0], [-2.0], [0.5]] + 0.3).astype("float32")
EQUAL = np.ones(23)
CAPTURED = "captured"


def linear():
    import keras

    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1, kernel_initializer="ones")])
    model.compile(keras.optimizers.SGD(RATE), "mean_squared_error", metrics=["mean_absolute_error"])
    build_metrics(model, X[:4], Y[:4])
    return model


@pytest.fixture
def plans(backend):
    return runtime.current().plans(linear(), 10**9)


@pytest.fixture
def captured(plans):
    """The plan that captures a step and replays it; skips if the backend has none."""
    matching = [plan for plan in plans if plan.name == CAPTURED]
    if not matching:
        pytest.skip("this backend replays no steps")
    return matching[0]


def by_hand(order, size, counts=EQUAL):
    """Return the weights after an epoch of gradient descent, and the mean loss with the sample weights `counts`."""
    weights, bias, lost = np.ones((3, 1)), np.zeros(1), 0.0
    for first in range(0, len(order), size):
        chosen = order[first : first + size]
        x, y, count = X[chosen].astype("float64"), Y[chosen], counts[chosen, None]
        error = x @ weights + bias - y
        lost += float((count * error**2).sum())
        weights -= RATE * 2 * x.T @ (count * error) / len(x)
        bias -= RATE * 2 * (count * error).mean()
    return weights, bias, lost / len(order)


def epochs_of(model, plan, size, data=(X, Y)):
    return runtime.current().compile_epochs(model, data, size, plan)


def run_epoch(epochs, order, *ends):
    """Run one epoch, divided into runs that end at these steps and at the last."""
    epochs.begin(order)
    starts = [0, *ends]
    for start, stop in zip(starts, [*ends, epochs.steps], strict=True):
        epochs.run(start, stop)
    epochs.end()


def values_of(variables):
    import keras

    return [np.array(keras.ops.convert_to_numpy(variable)) for variable in variables]


@pytest.mark.parametrize(("size", "ends"), [(4, ()), (4, (1, 3)), (4, (5,)), (23, ()), (100, ()), (1, (7,))])
def test_an_epoch_follows_the_sample_order_however_it_is_divided_into_runs(plans, size, ends):
    order = np.random.default_rng(size).permutation(23)
    weights, bias, loss = by_hand(order, size)
    for plan in plans:
        model = linear()
        run_epoch(epochs_of(model, plan, size), order, *ends)
        kernel, actual_bias = model.get_weights()
        np.testing.assert_allclose(kernel, weights, rtol=0, atol=1e-5, err_msg=plan.name)
        np.testing.assert_allclose(actual_bias, bias, rtol=0, atol=1e-5, err_msg=plan.name)
        assert float(model.get_metrics_result()["loss"]) == pytest.approx(loss, rel=1e-5), plan.name
        assert int(model.optimizer.iterations) == -(-23 // size), plan.name


def test_each_sample_counts_as_much_as_its_weight_says(plans):
    counts = np.random.default_rng(5).uniform(0, 3, 23).astype("float32")
    order = np.random.default_rng(6).permutation(23)
    weights, bias, loss = by_hand(order, 4, counts)
    untrained = float((counts[:, None] * np.square(X @ np.ones((3, 1), "float32") - Y)).mean())
    for plan in plans:
        model = linear()
        epochs = epochs_of(model, plan, 4, (X, Y, counts))
        epochs.evaluate()
        assert float(model.get_metrics_result()["loss"]) == pytest.approx(untrained, rel=1e-5), plan.name
        model.reset_metrics()
        run_epoch(epochs, order, 2)
        kernel, actual_bias = model.get_weights()
        np.testing.assert_allclose(kernel, weights, rtol=0, atol=1e-5, err_msg=plan.name)
        np.testing.assert_allclose(actual_bias, bias, rtol=0, atol=1e-5, err_msg=plan.name)
        assert float(model.get_metrics_result()["loss"]) == pytest.approx(loss, rel=1e-5), plan.name


def test_a_second_epoch_goes_on_where_the_first_ended(plans):
    order = np.arange(23)
    for plan in plans:
        one, other = linear(), linear()
        epochs = epochs_of(one, plan, 5)
        run_epoch(epochs, order)
        run_epoch(epochs, order[::-1].copy(), 2)
        for chosen in (order, order[::-1].copy()):
            run_epoch(epochs_of(other, plan, 5), chosen)
        for actual, expected in zip(one.get_weights(), other.get_weights(), strict=True):
            np.testing.assert_allclose(actual, expected, rtol=0, atol=1e-6, err_msg=plan.name)


@pytest.mark.parametrize("own", [False, True])
def test_metrics_are_reset_and_equal_those_of_keras(plans, own):
    import keras

    class Scaled(keras.metrics.MeanSquaredError):
        """A metric whose result depends on state outside its variables."""

        times = 1

        def reset_state(self):
            super().reset_state()
            self.times = self.times + 1

        def result(self):
            return super().result() * self.times

    for plan in plans:
        model = linear()
        kinds = [Scaled(name="scaled")] if own else [keras.metrics.RootMeanSquaredError(), keras.metrics.R2Score()]
        model.compile(keras.optimizers.SGD(RATE), "mean_squared_error", metrics=["mean_absolute_error", *kinds])
        build_metrics(model, X[:4], Y[:4])
        epochs = epochs_of(model, plan, 5)
        for times in (3, 4):  # `build_metrics` was the first to reset
            epochs.reset()
            empty = values_of(model.metrics_variables)
            assert not any(values.any() for values in empty), plan.name
            assert not own or kinds[0].times == times, plan.name
            run_epoch(epochs, np.arange(23), 2)
            expected = {name: float(value) for name, value in model.get_metrics_result().items()}
            assert list(epochs.results()) == list(expected), plan.name
            assert epochs.results() == pytest.approx(expected, rel=1e-6), plan.name
            assert epochs.loss() == epochs.results()["loss"] > 0, plan.name


@pytest.mark.parametrize("size", [1, 5, 23, 64])
def test_evaluating_measures_every_sample_once_and_trains_nothing(plans, size):
    error = X @ np.ones((3, 1), "float32") - Y
    for plan in plans:
        model = linear()
        before = values_of([*model.variables, *model.optimizer.variables])
        epochs_of(model, plan, size).evaluate()
        metrics = model.get_metrics_result()
        assert float(metrics["loss"]) == pytest.approx(np.square(error).mean(), rel=1e-5), plan.name
        assert float(metrics["mean_absolute_error"]) == pytest.approx(np.abs(error).mean(), rel=1e-5), plan.name
        for value, expected in zip(values_of([*model.variables, *model.optimizer.variables]), before, strict=True):
            np.testing.assert_array_equal(value, expected, err_msg=plan.name)


def test_plans_have_unique_names_whatever_the_length_of_the_run(backend):
    for steps in (1, 10**9):
        names = [plan.name for plan in runtime.current().plans(linear(), steps)]
        assert names
        assert len(set(names)) == len(names)
        assert not {"fit", "auto"} & set(names)


def test_on_a_cpu_the_first_plan_for_a_convolution_is_no_compiled_loop(backend):
    import keras

    model = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Conv2D(2, 3), keras.layers.Flatten()])
    model.compile("sgd", "mean_squared_error")
    first = runtime.current().plans(model, 10**9)[0]
    if runtime.current().devices()[0].kind == "cpu":
        assert not (first.loop and first.jit)


def test_layers_are_found_inside_wrappers_and_nested_models(backend):
    import keras

    inner = keras.Sequential([keras.Input((6, 6, 1)), keras.layers.Conv2D(2, 3), keras.layers.Flatten()])
    model = keras.Sequential([keras.Input((4, 6, 6, 1)), keras.layers.TimeDistributed(inner)])
    assert [type(layer).__name__ for layer in layers_of(model)] == [
        "TimeDistributed",
        "Sequential",
        "Conv2D",
        "Flatten",
    ]
    assert not has_recurrence(model)
    both = keras.Sequential([keras.Input((4, 2)), keras.layers.Bidirectional(keras.layers.GRU(2))])
    assert [type(layer).__name__ for layer in layers_of(both)] == ["Bidirectional", "GRU", "GRU"]
    assert has_recurrence(both)
    assert not has_convolutions(both)
    assert has_recurrence(keras.Sequential([both]))
    assert has_convolutions(model), "within a model within a wrapper"
    shared = keras.Sequential([keras.Input((6, 6, 1)), inner])
    twice = keras.Model(shared.inputs, keras.layers.Add()([inner(shared.inputs[0]), shared(shared.inputs[0])]))
    assert sorted(type(layer).__name__ for layer in layers_of(twice)).count("Conv2D") == 1


# --- metrics and optimizer are built --------------------------------------------------------------------------------


def test_keras_private_method_that_builds_metrics_has_the_expected_signature(backend):
    import keras

    parameters = inspect.signature(keras.Model._symbolic_build).parameters
    assert list(parameters) == ["self", "iterator", "data_batch"]


def test_building_metrics_and_optimizer_trains_nothing(backend):
    import keras

    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    model.compile("adam", "mean_squared_error", metrics=["mean_absolute_error"])
    before = model.get_weights()
    build_metrics(model, X[:4], Y[:4])
    assert model.optimizer.built
    assert set(model.get_metrics_result()) == {"loss", "mean_absolute_error"}
    assert len(model.metrics_variables) == 4, "a total and a count of each"
    assert not any(value.any() for value in values_of(model.metrics_variables))
    for actual, expected in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(actual, expected)


# --- captured steps -------------------------------------------------------------------------------------------------


def compiled(layers, optimizer):
    import keras

    generator = np.random.default_rng(1)
    model = keras.Sequential([keras.Input((3,)), *layers, keras.layers.Dense(1)])
    for variable in model.trainable_variables:
        variable.assign(generator.normal(size=variable.shape))
    model.compile(optimizer, "mean_squared_error")
    build_metrics(model, X[:4], Y[:4])
    return model


def capture_of(model, data=(X, Y)):
    import keras

    from trivium.backends.torch.captured_steps import capture

    return capture(model, tuple(keras.ops.convert_to_tensor(part[:4]) for part in data))


def optimizer_of(name):
    from keras import optimizers

    rate = optimizers.schedules.ExponentialDecay(0.1, decay_steps=2, decay_rate=0.5)
    return {
        "adam": lambda: optimizers.Adam(),
        "rmsprop": lambda: optimizers.RMSprop(),
        "schedule": lambda: optimizers.Adam(rate),
        "amsgrad": lambda: optimizers.Adam(amsgrad=True),
        "sgd": lambda: optimizers.SGD(0.1),
        "momentum": lambda: optimizers.SGD(rate, momentum=0.9),
        "nesterov": lambda: optimizers.SGD(0.01, momentum=0.9, nesterov=True),
    }[name]()


def layers_of_kind(name):
    from keras import layers

    return {
        "dense": lambda: [layers.Dense(8, "tanh"), layers.BatchNormalization()],
        "weighted": lambda: [layers.Dense(8, "tanh")],
        "wide": lambda: [layers.Dense(130, "relu"), layers.Dense(130, "relu")],  # enough for the fused optimizer
        "dropout": lambda: [layers.Dense(8, "tanh"), layers.Dropout(0.4, seed=1), layers.GaussianNoise(0.1, seed=2)],
        "convolution": lambda: [
            layers.Reshape((3, 1, 1)),
            layers.ZeroPadding2D(3),
            layers.Conv2D(4, 3, 2, padding="same", activation="relu", kernel_constraint="max_norm"),
            layers.MaxPooling2D(2),
            layers.Flatten(),
        ],
        "recurrent": lambda: [
            layers.Reshape((3, 1)),
            layers.LSTM(4, return_sequences=True, seed=1),
            layers.GRU(3, seed=1),
        ],
        "wide recurrent": lambda: [  # by oneDNN's kernel in a captured step too
            layers.Reshape((3, 1)),
            layers.LSTM(64, return_sequences=True, seed=1),
            layers.LSTM(64, seed=1),
        ],
    }[name]()


@pytest.mark.parametrize(
    ("kind", "optimizer"),
    [
        *(("dense", name) for name in ("adam", "rmsprop", "schedule", "amsgrad", "sgd", "momentum", "nesterov")),
        *((kind, "adam") for kind in ("wide", "weighted", "dropout", "convolution", "recurrent", "wide recurrent")),
        ("wide", "amsgrad"),
    ],
)
def test_a_replayed_step_is_the_step_to_the_bit(plans, captured, kind, optimizer):
    results, data = [], (X, Y, np.linspace(0, 3, 23, dtype="float32")) if kind == "weighted" else (X, Y)
    eager = next(plan for plan in plans if not plan.jit)
    for plan in (eager, captured):
        model = compiled(layers_of_kind(kind), optimizer_of(optimizer))
        with portable_draws(), runtime.current().tuned(model):
            assert plan is eager or capture_of(model, data), "otherwise both would be the step itself"
            run_epoch(epochs_of(model, plan, 4, data), np.arange(23)[::-1].copy(), 2)
        results.append(values_of(runtime.variables_of(model)))
    for actual, expected in zip(*reversed(results), strict=True):
        if kind == "recurrent":  # by oneDNN's kernel there, by PyTorch's own operations here
            np.testing.assert_allclose(actual, expected, rtol=1e-5, atol=1e-6)
        else:
            np.testing.assert_array_equal(actual, expected)


def test_capturing_changes_nothing(captured):
    from keras import layers

    model = compiled([layers.Dense(8, "tanh"), layers.BatchNormalization()], "adam")
    before = values_of([*model.variables, *model.optimizer.variables, *model.metrics_variables])
    assert capture_of(model)
    after = values_of([*model.variables, *model.optimizer.variables, *model.metrics_variables])
    for actual, expected in zip(after, before, strict=True):
        np.testing.assert_array_equal(actual, expected)


def test_a_model_with_python_state_is_not_captured_but_still_trains(captured):
    import keras

    class Counting(keras.layers.Layer):
        calls = 0

        def call(self, inputs):
            self.calls += 1
            return inputs * self.calls

    assert capture_of(compiled([Counting()], "adam")) is None
    assert capture_of(compiled([keras.layers.Dropout(0.5)], "adam")) is None, (
        "PyTorch's own dropout is seeded by Python"
    )
    assert capture_of(compiled([], "adam")), "without them it is"
    model = compiled([keras.layers.Dropout(0.5)], "adam")
    before = model.get_weights()[0]
    run_epoch(epochs_of(model, captured, 4), np.arange(23))
    assert int(model.optimizer.iterations) == 6
    assert np.abs(model.get_weights()[0] - before).max() > 1e-3


def test_a_learning_rate_that_is_set_between_epochs_is_followed(plans):
    for plan in plans:
        model = linear()
        epochs = epochs_of(model, plan, 5)
        run_epoch(epochs, np.arange(23))
        model.optimizer.learning_rate = 0.0
        before = model.get_weights()
        run_epoch(epochs, np.arange(23))
        for actual, expected in zip(model.get_weights(), before, strict=True):
            np.testing.assert_array_equal(actual, expected, err_msg=plan.name)
