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


def words():
    words = keras.Input((1,), dtype="string")
    numbers = layers.StringLookup(vocabulary=["a", "b"])(words)
    return keras.Model(words, layers.Dense(1)(layers.Flatten()(layers.Embedding(3, 2)(numbers))))
"""


@pytest.fixture
def fields(tmp_path, backend):
    (tmp_path / "models.py").write_text(MODELS)
    return lambda name: dataclasses.asdict(ModelUnderTest(f"{tmp_path / 'models.py'}:{name}"))


def test_a_metric_of_the_users_own_gets_tensors(fields):
    prepared = measurements.prepare(fields("own_metric"), 2)
    measured = measurements.measure(fields("own_metric"), prepared["batches"], prepared["variables"])
    assert len(measured["losses"]) == 2


def test_an_input_of_text_is_told_with_what_to_do(fields):
    pytest.importorskip("tensorflow", reason="the layer needs TensorFlow")
    with pytest.raises(DataError, match="takes text, which only TensorFlow computes with: look the words up"):
        measurements.prepare(fields("words"), 2)
