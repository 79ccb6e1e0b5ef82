"""A model whose probabilities Keras would clip: the loss of its mistakes is the same by every plan."""

import numpy as np
import pytest

from trivium.backends import runtime
from trivium.data.dataset import Dataset, Split
from trivium.engine.training.trainer import Trainer
from trivium.models.recipe import Recipe

COST = 40.0  # the loss of a mistake; one of four samples is a mistake


def sure():
    """Build a model that always predicts class 1, with a logit of 40, and learns nothing."""
    import keras

    bias = keras.initializers.Constant([0.0, COST])
    layer = keras.layers.Dense(2, "softmax", kernel_initializer="zeros", bias_initializer=bias)
    model = keras.Sequential([keras.Input((3,)), layer])
    model.compile(keras.optimizers.SGD(0.0), "sparse_categorical_crossentropy")
    return model


@pytest.fixture
def data():
    x, y = np.ones((16, 3), "float32"), np.tile([0, 1, 1, 1], 4)
    return Dataset("sure mistakes", Split(x, y), Split(x[:8], y[:8]), ("no", "yes"), "made by the test")


def test_a_mistake_costs_the_same_by_every_plan_and_on_every_backend(backend, data):
    plans = [plan.name for plan in runtime.current().plans(sure(), 10**9)]
    for plan in ("fit", *plans):
        run = Trainer(Recipe("sure", "always yes", sure), epochs=1, batch_size=4, validation_split=0.5, plan=plan).fit(
            data
        )
        assert run.history["loss"] == pytest.approx([COST / 4], rel=1e-5), plan
        assert run.history["val_loss"] == pytest.approx([COST / 4], rel=1e-5), plan
        assert run.evaluation["loss"] == pytest.approx(COST / 4, rel=1e-5), plan
