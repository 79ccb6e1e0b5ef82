"""What a backend measures of a model of the user's own: its metrics, and inputs that no backend has in common."""

import dataclasses

import pytest

from trivium.engine.verification import measurements
from trivium.engine.verification.model_under_test import ModelUnderTest
from trivium.errors import DataError

MODELS = """
import keras
from keras import layers, ops


@keras.saving.register_keras_serializable(package="measured")
class Squares(keras.metrics.Metric):
    def __init__(self, name="squares", **settings):
        super().__init__(name=name, **settings)
        self.total = self.add_weight(name="total", initializer="zeros")

    def update_state(self, y, p, sample_weight=None):
        self.total.assign_add(ops.sum(ops.square(y - p)))

    def result(self):
        return self.total / 1.0


def own_metric():
    model = keras.Sequential([keras.Input((4,)), layers.Dense(1)])
    model.compile("sgd", "mse", metrics=[Squares()])
    return model


class OwnLoss(keras.Model):
    def __init__(self, *arguments, **settings):
        super().__init__(*arguments, **settings)
        self.squares = Squares()

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        return ops.mean(ops.square(y - y_pred)) + 0.1 * ops.mean(x - ops.mean(y_pred))

    def compute_metrics(self, x, y, y_pred, sample_weight=None):
        self.squares.update_state(y, y_pred)
        return self.get_metrics_result()

    def get_metrics_result(self):
        return {"squares": self.squares.result()}


def own_loss():
    x = keras.Input((4,))
    model = OwnLoss(x, layers.Dense(1)(x))
    model.compile("sgd")
    return model


def frozen():
    model = keras.Sequential([keras.Input((4,)), layers.Dense(1, trainable=False)])
    model.compile("sgd", "mse")
    return model


def words():
    words = keras.Input((1,), dtype="string")
    numbers = layers.StringLookup(vocabulary=["a", "b"])(words)
    return keras.Model(words, layers.Dense(1)(layers.Flatten()(layers.Embedding(3, 2)(numbers))))
"""


@pytest.fixture
def fields(tmp_path, backend):
    (tmp_path / "models.py").write_text(MODELS)
    return lambda name: dataclasses.asdict(ModelUnderTest(f"{tmp_path / 'models.py'}:{name}"))


def measure(fields):
    prepared = measurements.prepare(fields, 2)
    return prepared, measurements.measure(fields, prepared["batches"], prepared["variables"])


def test_a_metric_of_the_users_own_gets_tensors(fields):
    prepared, measured = measure(fields("own_metric"))
    assert len(measured["losses"]) == 2
    predictions = [array for _, array in measured["predictions"]]
    ((name, value),) = measurements.measure_metrics(fields("own_metric"), prepared["batches"], predictions)["metrics"]
    expected = sum(float(((y - predictions[0]) ** 2).sum()) for y in prepared["batches"]["y"][0])
    assert (name, float(value)) == ("metric squares", pytest.approx(expected, rel=1e-5))


def test_a_loss_of_the_users_own_may_be_missing_in_the_logs(fields):
    _, measured = measure(fields("own_loss"))
    assert measured["losses"][0] < measured["loss"], "it is computed after the step"


def test_a_model_without_trainable_weights_has_no_gradients(fields):
    _, measured = measure(fields("frozen"))
    assert measured["gradients"] == []
    assert len(measured["losses"]) == 2


def test_variables_are_assigned_by_their_names(fields):
    prepared = measurements.prepare(fields("own_metric"), 2)
    measured = measurements.measure(fields("own_metric"), prepared["batches"], prepared["variables"][::-1])
    expected = measurements.measure(fields("own_metric"), prepared["batches"], prepared["variables"])
    assert list(measured["losses"]) == list(expected["losses"])


def test_an_input_of_text_is_told_with_what_to_do(fields):
    pytest.importorskip("tensorflow", reason="the layer needs TensorFlow")
    with pytest.raises(DataError, match="takes text, which only TensorFlow computes with: look the words up"):
        measurements.prepare(fields("words"), 2)
