"""Classes that a user wrote as −1 and +1 reach a hinge loss, and every metric, as they are."""

import numpy as np
import pytest

import trivium
from trivium.engine.bundles.bundle import Bundle

pytestmark = pytest.mark.one_environment

SIGNS = np.array([-1, 1, 1, -1] * 6)
X = (SIGNS[:, None] * np.array([[1.0, 0.5]])).astype("float32")


def margins():
    import keras

    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, kernel_initializer="ones")])
    model.compile("sgd", "hinge", metrics=["mae"])
    return model


def test_the_metrics_are_those_of_the_signs(backend):
    run = trivium.train(margins, (X, SIGNS), epochs=1, batch_size=24, validation_split=0)
    assert run.history["mae"] == pytest.approx([0.5])  # margins of 1.5 and −1.5
    assert run.history["loss"] == pytest.approx([0])


def test_a_margin_names_the_class_of_its_sign(backend, tmp_path):
    settings = {"test_data": (X[:4], SIGNS[:4]), "validation_split": 0}
    with pytest.warns(UserWarning, match="4 of the 4 test samples are in the training part too"):
        run = trivium.train(margins, (X, SIGNS), epochs=1, **settings)
    assert run.evaluation["class_accuracy"] == 1
    Bundle.of(run).save(tmp_path / "margins.trivium")
    assert [row["label"] for row in trivium.load(tmp_path / "margins.trivium").predict(X[:4]).to_json()] == [
        *("-1", "1", "1", "-1")
    ]
