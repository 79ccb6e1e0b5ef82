"""Validation gives what `keras.Model.fit` gives, in large batches only where that changes nothing."""

import numpy as np
import pytest

from trivium.backends import runtime
from trivium.backends.epochs import build_metrics
from trivium.data.dataset import Dataset, Split
from trivium.engine.training.trainer import Trainer
from trivium.models.recipe import Recipe

STEPS, FEATURES = 4, 3
BATCH, LARGE = 4, 256
RNG = np.random.default_rng(0)
X = RNG.normal(size=(301, STEPS, FEATURES)).astype("float32")
Y = (X[:, 0].sum(1, keepdims=True) > 0).astype("float32")


def model_of(*layers, loss="mse", metrics=(), kind="Sequential"):
    """Return a compiled model of these layers over sequences, with one output for each."""
    import keras

    layers = [*layers] or [keras.layers.Flatten()]
    kind = getattr(keras, kind) if isinstance(kind, str) else kind
    model = kind([keras.Input((STEPS, FEATURES)), *layers, keras.layers.Dense(1, "sigmoid")])
    model.compile(keras.optimizers.SGD(0.1), loss, metrics=list(metrics))
    return model


def functional(inner):
    """Return a compiled model whose flat features go through this function of tensors."""
    import keras

    inputs = keras.Input((STEPS, FEATURES))
    outputs = keras.layers.Dense(1, kernel_initializer="zeros")(inner(keras.layers.Flatten()(inputs)))
    model = keras.Model(inputs, outputs)
    model.compile(keras.optimizers.SGD(0.1), "mse")
    return model


# --- models that answer alike in any batches ------------------------------------------------------------------------


def plain():
    import keras

    return model_of(keras.layers.Flatten(), loss="binary_crossentropy", metrics=["accuracy", "mae"])


def with_dropout_and_normalisation():
    import keras

    layers = keras.layers
    flat = layers.Conv1D(4, 2, activity_regularizer="l2"), layers.BatchNormalization(), layers.Dropout(0.4)
    return model_of(*flat, layers.LSTM(3), metrics=[keras.metrics.AUC(name="auc"), keras.metrics.R2Score()])


# --- models whose layers draw or count while they answer ------------------------------------------------------------


def recurrent_dropout():
    import keras

    return model_of(keras.layers.LSTM(4, dropout=0.3, recurrent_dropout=0.2))


def dropout_in_both_directions():
    import keras

    return model_of(keras.layers.Bidirectional(keras.layers.GRU(3, dropout=0.3)))


def dropout_of_stacked_cells():
    import keras

    return model_of(
        keras.layers.RNN([keras.layers.LSTMCell(3, dropout=0.3), keras.layers.SimpleRNNCell(3, dropout=0.2)])
    )


def noise_in_every_mode():
    import keras

    class Noise(keras.layers.Layer):
        def __init__(self):
            super().__init__()
            self.generator = keras.random.SeedGenerator(3)

        def call(self, x):
            return x + 0.1 * keras.random.normal(keras.ops.shape(x), seed=self.generator)

    return model_of(keras.layers.Flatten(), Noise())


def counting_layer():
    import keras

    class Counter(keras.layers.Layer):
        def build(self, shape):
            self.count = self.add_weight(shape=(), initializer="zeros", trainable=False)

        def call(self, x):
            self.count.assign(self.count + 1.0)
            return x * (1 + self.count * 0.01)

    return model_of(keras.layers.Flatten(), Counter())


# --- models whose layers, losses or metrics are no mean over samples ------------------------------------------------


def mean_metric():
    import keras

    def bias(y, p):
        return keras.ops.mean(y - p)

    return model_of(metrics=[bias])


def metric_of_the_last_batch():
    import keras

    class Chosen(keras.metrics.Metric):
        def __init__(self, name="chosen", **keywords):
            super().__init__(name=name, **keywords)
            self.number = self.add_variable((), "zeros")

        def update_state(self, y, p, sample_weight=None):
            self.number.assign(keras.ops.sum(keras.ops.cast(p > 0.5, "float32")))

        def result(self):
            return self.number * 1

    return model_of(metrics=[Chosen()])


def root_of_a_mean():
    import keras

    return model_of(loss=lambda y, p: keras.ops.sqrt(keras.ops.mean(keras.ops.square(y - p))))


def own_compute_loss():
    import keras

    class Model(keras.Sequential):
        def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
            return keras.ops.max(keras.ops.square(y - y_pred))

    return model_of(kind=Model)


def dice():
    return model_of(loss="dice")


def sum_over_the_batch():
    import keras

    return model_of(loss=keras.losses.MeanSquaredError(reduction="sum"))


def norm_over_the_batch():
    import keras

    return model_of(keras.layers.Flatten(), keras.layers.UnitNormalization(axis=0))


def mean_hidden_by_zeros():
    import keras

    return functional(lambda x: x - keras.ops.mean(x, axis=0, keepdims=True))


def lambda_layer():
    import keras

    return model_of(keras.layers.Flatten(), keras.layers.Lambda(lambda x: x - keras.ops.max(x, 0, keepdims=True)))


def added_loss():
    import keras

    class Penalty(keras.layers.Layer):
        def call(self, x):
            self.add_loss(0.1 * keras.ops.sqrt(keras.ops.mean(keras.ops.square(x))))
            return x

    return model_of(keras.layers.Flatten(), Penalty())


def masked_loss():
    import keras

    return model_of(keras.layers.Masking(), loss="mse")


LARGE_BATCHES = [plain, with_dropout_and_normalisation]
TRAINING_BATCHES = [
    *(recurrent_dropout, dropout_in_both_directions, dropout_of_stacked_cells, noise_in_every_mode),
    *(counting_layer, mean_metric, metric_of_the_last_batch, root_of_a_mean),
    *(own_compute_loss, dice, sum_over_the_batch, norm_over_the_batch, mean_hidden_by_zeros, lambda_layer),
    *(added_loss, masked_loss),
]


def targets_of(model):
    return Y if len(model.output_shape) == 2 else np.repeat(Y[:, None], STEPS, axis=1)


def ready(build):
    """Return a model with its metrics built, its data, and the plan by which it is evaluated."""
    model = build()
    y = targets_of(model)
    build_metrics(model, X[:BATCH], y[:BATCH])
    return model, Split(X, y), runtime.current().plans(model, 1)[0]


def validation_batch_size(*arguments):
    from trivium.engine.epochs import validation_batch

    return validation_batch.validation_batch_size(*arguments)


@pytest.mark.parametrize(
    ("build", "expected"),
    [*((build, LARGE) for build in LARGE_BATCHES), *((build, BATCH) for build in TRAINING_BATCHES)],
)
def test_a_batch_is_large_only_where_no_result_depends_on_it(backend, build, expected):
    model, data, plan = ready(build)
    before = [np.array(variable.numpy()) for variable in runtime.variables_of(model)]
    size = validation_batch_size(model, data, BATCH, plan)
    assert size == (expected if runtime.current().evaluates_eagerly else BATCH)
    for variable, value in zip(runtime.variables_of(model), before, strict=True):
        np.testing.assert_array_equal(variable.numpy(), value, err_msg=variable.path)


@pytest.mark.one_environment
def test_few_steps_of_validation_are_those_of_training_without_a_trial(backend, monkeypatch):
    monkeypatch.setattr("trivium.engine.epochs.validation_batch._ignores_batches", None)
    model, data, plan = ready(plain)
    assert validation_batch_size(model, data.take(slice(0, 200)), BATCH, plan) == BATCH


@pytest.mark.one_environment
def test_a_batch_that_is_larger_already_is_kept(backend):
    model, data, plan = ready(plain)
    assert validation_batch_size(model, data, 300, plan) == 300


@pytest.mark.parametrize("build", [root_of_a_mean, plain])
def test_an_evaluation_gives_what_keras_gives(backend, monkeypatch, build):
    from trivium.engine.epochs import epoch_loop

    monkeypatch.setattr("trivium.engine.epochs.validation_batch._FEW_STEPS", 1)
    model, data, _ = ready(build)
    expected = model.evaluate(X, Y, verbose=0, return_dict=True)
    assert epoch_loop.measure(model, data) == pytest.approx(expected, rel=1e-6)


def recurrent_dropout_and_mean_metric():
    import keras

    return model_of(
        keras.layers.SimpleRNN(4, dropout=0.3, recurrent_dropout=0.2), metrics=[lambda y, p: keras.ops.mean(y - p)]
    )


# The daily tests train one model that both draws and averages, by one plan.
IN_FULL = [*TRAINING_BATCHES, *LARGE_BATCHES]


@pytest.mark.parametrize(
    ("build", "plans"),
    [(recurrent_dropout_and_mean_metric, 1), *(pytest.param(build, 9, marks=pytest.mark.slow) for build in IN_FULL)],
)
def test_every_plan_validates_and_trains_as_fit_does(backend, monkeypatch, build, plans):
    monkeypatch.setattr("trivium.engine.epochs.validation_batch._FEW_STEPS", 1)
    data = Dataset("few", Split(X[:31], targets_of(build())[:31]), None, (), "drawn")

    def train(plan):
        recipe = Recipe("own", "own", build)
        return Trainer(recipe, plan=plan, batch_size=BATCH, epochs=2, validation_split=0.4).fit(data)

    by_fit = train("fit")
    for plan in runtime.current().plans(by_fit.model, 1)[:plans]:
        run = train(plan.name)
        assert run.settings["plan"]["name"] == plan.name
        assert run.history.metrics == by_fit.history.metrics
        for metric in by_fit.history.metrics:
            np.testing.assert_allclose(run.history[metric], by_fit.history[metric], rtol=1e-6, atol=1e-6)
        for weights, expected in zip(run.model.get_weights(), by_fit.model.get_weights(), strict=True):
            np.testing.assert_allclose(weights, expected, rtol=0, atol=1e-6, err_msg=plan.name)
