"""A trained model is saved whatever its metrics are, and whatever becomes of its pictures."""

import errno
import json
import os

import numpy as np
import pytest

import trivium
from trivium.engine.bundles import bundle as bundles
from trivium.engine.training import saving

pytestmark = pytest.mark.one_environment


def line(inputs, outputs):
    import keras

    return keras.Sequential([keras.Input((inputs,)), keras.layers.Dense(outputs)])


def data(largest=1.0):
    x = np.arange(40.0).reshape(20, 2) / 40
    y = x.sum(1)
    far = y.copy()
    far[3] = largest
    return (x, y), (x, far)


def test_a_metric_that_is_infinite_is_null_in_the_record(backend, tmp_path):
    train, test = data(largest=1e25)
    run = trivium.train(line, train, test_data=test, epochs=1, out=tmp_path / "run")
    assert run.evaluation["loss"] == np.inf
    record = json.loads((tmp_path / "run/run.json").read_text())
    assert record["state"] == "finished"
    assert record["evaluation"]["loss"] is None
    assert bundles.load(tmp_path / "run").run["evaluation"]["loss"] is None


def test_a_picture_that_cannot_be_written_is_a_warning(backend, tmp_path, monkeypatch):
    def full(run, folder):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(saving, "draw", full)
    events = []
    trivium.train(line, data()[0], epochs=1, out=tmp_path / "run", listener=events.append)
    (warning,) = [event["text"] for event in events if event["kind"] == "warning"]
    assert warning == "The pictures of the run were not drawn: [Errno 28] No space left on device"
    assert json.loads((tmp_path / "run/run.json").read_text())["state"] == "finished"
    assert len(bundles.load(tmp_path / "run").recorded_outputs) == 20


def test_the_names_of_classes_may_hold_dollars(backend, tmp_path):
    x = np.arange(40.0).reshape(20, 2) / 40

    def prices(inputs, classes):
        import keras

        return keras.Sequential([keras.Input((inputs,)), keras.layers.Dense(classes, "softmax")])

    labels = np.array(["$1%-$5%", "$\\bad$"])[np.arange(20) % 2]
    trivium.train(prices, (x, labels), test_data=(x, labels), epochs=1, out=tmp_path / "run")
    assert (tmp_path / "run/confusion.png").is_file()
