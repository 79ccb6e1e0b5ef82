"""A bundle's predictions and metrics are those of the model where it was trained."""

import numpy as np
import pytest

from trivium.data import datasets
from trivium.engine.bundles import bundle as bundles
from trivium.engine.prediction.evaluation import evaluate, predict
from trivium.errors import DataError


def test_predictions_from_raw_images_are_those_from_prepared_ones(saved_runs, striding_run, digits):
    x, _ = striding_run.preprocessing.pairs(digits.test.x, digits.test.y)
    predictions = predict(saved_runs["striding"], digits.test.x)
    np.testing.assert_allclose(predictions.outputs, striding_run.model.predict(x, verbose=0), rtol=0, atol=1e-6)
    np.testing.assert_array_equal(predictions.values, predictions.outputs.argmax(-1))


def test_each_prediction_has_a_label_and_probabilities(saved_runs, digits):
    entries = predict(saved_runs["striding"], digits.test.x[:3]).to_json()
    for entry in entries:
        assert entry["probability"] == max(entry["probabilities"].values())
        assert entry["probabilities"][entry["label"]] == entry["probability"]
        assert sum(entry["probabilities"].values()) == pytest.approx(1, abs=1e-5)


def test_evaluation_repeats_the_metrics_of_the_run(saved_runs, striding_run, lstm_run, digits):
    assert evaluate(saved_runs["striding"], digits) == pytest.approx(striding_run.evaluation, rel=1e-5)
    assert evaluate(saved_runs["lstm"]) == pytest.approx(lstm_run.evaluation, rel=1e-5)


def test_accuracy_is_the_share_of_right_labels(saved_runs, digits):
    right = predict(saved_runs["striding"], digits.test.x).values == digits.test.y
    assert evaluate(saved_runs["striding"], digits)["accuracy"] == pytest.approx(right.mean())


def test_a_series_is_predicted_on_its_own_scale_up_to_the_next_value(saved_runs):
    series = datasets.load("waves:0:60").train.x
    predictions = predict(saved_runs["lstm"], series)
    assert len(predictions.values) == len(series) - 3 + 1
    low, high = bundles.load(saved_runs["lstm"]).preprocessing.targets.steps[0]._range()
    np.testing.assert_allclose(predictions.values, predictions.outputs * high + low, rtol=1e-6)


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (np.zeros((2, 8, 8), "uint8"), r"a prepared sample has shape \(8, 8, 1\) but the model takes \(28, 28, 1\)"),
        (np.zeros((2, 28, 28, 3), "uint8"), "expected grey images"),
        (np.full((2, 28, 28), np.nan), "NaN"),
    ],
)
def test_inputs_that_do_not_fit_are_refused_in_one_line(saved_runs, x, message):
    with pytest.raises(DataError, match=message):
        predict(saved_runs["striding"], x)


def test_data_without_a_test_split_cannot_be_evaluated_on(saved_runs, tmp_path, digits):
    np.savez(tmp_path / "d.npz", x=digits.train.x, y=digits.train.y)
    with pytest.raises(DataError, match="has no test split"):
        evaluate(saved_runs["striding"], tmp_path / "d.npz")
