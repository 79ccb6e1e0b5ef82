"""A run on a series is evaluated on the part that it was trained on, beside the test part."""

import json

import numpy as np
import pytest
from series_tables import build, build_flat, linear

import trivium
from trivium.data import datasets
from trivium.engine.bundles.bundle import Bundle
from trivium.engine.training import run_pictures, training_part

pytestmark = pytest.mark.one_environment


WINDOW = 3  # of rnn/lstm


def rms_error(predicted, expected):
    return float(np.sqrt(np.mean(np.square(predicted.reshape(expected.shape) - expected))))


def test_the_error_of_a_wave_is_that_of_its_training_values(lstm_run):
    wave = datasets.load("waves:0:60").train
    predicted = trivium.predict(Bundle.of(lstm_run), wave.x).values[:-1]  # the last one is of the value to come
    expected = rms_error(predicted, wave.y[WINDOW:])
    assert lstm_run.training_evaluation["rms_error"] == pytest.approx(expected, rel=1e-5)
    assert lstm_run.to_json()["training_evaluation"] == lstm_run.training_evaluation
    assert f"training part: rms_error {expected:.4g}" in repr(lstm_run)


def test_the_error_of_a_series_is_that_of_the_windows_that_were_trained_on(backend, tmp_path):
    name = f"{linear(tmp_path / 'load.csv')}:window=2:time=hour"
    run = trivium.train(build, name, epochs=1)
    data = datasets.load(name)
    trained, held_out = data.series.last_part(0.25)
    predicted = trivium.predict(Bundle.of(run), data.train.x).values[:, 0]
    assert run.training_evaluation == {
        "rms_error": pytest.approx(rms_error(predicted[trained], data.train.y[trained]), rel=1e-4)
    }
    assert len(held_out)


def test_several_targets_have_an_error_each_and_the_picture_has_both_parts(backend, tmp_path):
    from PIL import Image

    name = f"{linear(tmp_path / 'load.csv')}:window=2:time=hour:target=heat,load"
    run = trivium.train(build_flat, name, epochs=1, out=tmp_path / "run")
    assert run.training_evaluation.keys() == run.evaluation.keys() - {"loss"}
    record = json.loads((tmp_path / "run/run.json").read_text())
    assert record["training_evaluation"] == run.training_evaluation
    with Image.open(tmp_path / "run/predictions.png") as image:
        both = image.width
    run.training_part = None
    run_pictures.draw(run, tmp_path)
    with Image.open(tmp_path / "predictions.png") as image:
        assert both > 1.2 * image.width


def test_of_many_windows_the_first_ones_are_predicted_and_that_is_said(backend, tmp_path, monkeypatch):
    monkeypatch.setattr(training_part, "_MOST_SAMPLES", 30)
    run = trivium.train("rnn/lstm", "waves:0:60", epochs=1, batch_size=16)
    assert run.training_part.amount == "first 30 of 60 samples"
    assert "The RMS error of the training part is that of its first 30 of 60 samples." in run.notes
    wave = datasets.load("waves:0:60").train
    predicted = trivium.predict(Bundle.of(run), wave.x[:30]).values[:-1]
    expected = rms_error(predicted, wave.y[WINDOW:30])
    assert run.training_evaluation["rms_error"] == pytest.approx(expected, rel=1e-5)


def test_other_data_have_no_such_error(striding_run):
    assert striding_run.training_evaluation == {}
    assert "training_evaluation" not in striding_run.to_json()
