"""NumPy answers as the backend that trained the model does, and refuses in one line whatever needs training.

Keras' NumPy backend convolves by JAX, so that these run where JAX is installed; NumPy runs in a worker or a process of
its own.
"""

import json
import os
import subprocess
import sys

import numpy as np
import pytest

from trivium.backends import catalog
from trivium.backends.workers import worker
from trivium.engine.verification import parity

NUMPY = catalog.find("numpy")

pytestmark = pytest.mark.skipif(not NUMPY.installed, reason="Keras' NumPy backend needs JAX")


def trivium(*arguments, backend="numpy"):
    environment = {**os.environ, catalog.BACKEND_VARIABLE: backend}
    command = [sys.executable, "-m", "trivium", *map(str, arguments)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)


def refusal(*arguments):
    done = trivium(*arguments)
    assert done.returncode == 2, done
    (line,) = (line for line in done.stderr.splitlines() if line.startswith("trivium: "))
    return line


@pytest.mark.parametrize("run", ["striding", "lstm"])
def test_numpy_predicts_and_evaluates_as_the_backend_that_trained_it(saved_runs, run):
    evaluated = {}
    for name in (catalog.selected().name, NUMPY.name):
        data = {"striding": "mnist:sample", "lstm": "waves:0:60"}[run]
        done = trivium("evaluate", saved_runs[run], "--data", data, "--json", backend=name)
        assert done.returncode == 0, done.stderr
        evaluated[name] = json.loads(done.stdout)["metrics"]
    trained, numpy = evaluated.values()
    assert numpy == pytest.approx(trained, rel=1e-5)


def test_numpy_gives_the_recorded_answers(saved_runs):
    from trivium.engine.bundles import bundle
    from trivium.porting import source_model

    for folder in saved_runs.values():
        path = bundle.locate(folder)
        recorded = bundle.load(path)
        answers = worker.get(NUMPY.name).call(
            source_model.predict_batches, str(path), {"recorded": [recorded.recorded_inputs]}
        )
        difference = parity.difference(recorded.recorded_outputs, answers["recorded"][0])
        assert difference.relative < 1e-5


@pytest.mark.parametrize("recipe", ["dense/dropout", "cnn/pooling", "rnn/two-lstm"])
def test_the_forward_pass_and_the_loss_agree_and_the_report_names_what_was_left_out(recipe):
    from trivium.engine.verification.verification import verify

    report = verify(recipe, backends=["numpy", catalog.selected().name], steps=2)
    assert report.passed, report.finding
    assert report.left_out == ("gradients", "weights after 1 step", "loss curve", "final predictions", "metrics")
    assert "left out" in report.finding
    assert {check.what for check in report.checks} >= {"forward pass", "forward pass in training", "loss"}


def test_batch_statistics_are_the_same_where_rounding_is_none():
    """In float32 NumPy subtracts the square of the mean from the mean of the squares, and loses four digits."""
    from trivium.engine.verification.verification import verify

    report = verify("cnn/striding-batchnorm", backends=["numpy", catalog.selected().name], steps=2, float64=True)
    assert report.passed, report.finding


def test_a_bundle_is_ported_to_numpy(saved_runs, tmp_path):
    done = trivium("port", saved_runs["striding"], "--to", "numpy", "--out", tmp_path / "port", "--json", backend="jax")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["checks"]
    assert all(check["passed"] for check in report["checks"])


def test_the_list_of_backends_has_it(tmp_path):
    listed = {row["name"]: row for row in json.loads(trivium("backends", "--json").stdout)["backends"]}
    assert listed["numpy"]["installed"]
    assert listed["numpy"]["selected"]


@pytest.mark.parametrize(
    "arguments",
    [
        ("train", "dense/small", "--out", "run"),
        ("search", "dense/small", "--grid", "units=8,16"),
        ("bench", "epochs", "--recipes", "dense/small", "--backends", "numpy"),
        ("bench", "overhead", "--recipes", "dense/small", "--backends", "numpy"),
        ("bench", "search"),
        ("bench", "checkpoint"),
    ],
    ids=" ".join,
)
def test_whatever_needs_training_is_refused_in_one_line(arguments, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert "backend 'numpy' predicts and evaluates but does not train: choose one of tensorflow, jax, torch" in refusal(
        *arguments
    )
    assert list(tmp_path.iterdir()) == []


def test_no_source_is_written_for_it(saved_runs):
    assert "no source can be written for 'numpy'" in refusal("port", saved_runs["striding"], "--to", "source:numpy")


def test_all_backends_are_those_that_train():
    assert NUMPY not in catalog.resolve(())
    assert NUMPY in catalog.resolve(["numpy"], trains=False)


@pytest.mark.parametrize(("seed", "counter"), [(0, 0), (7, 3), (2**32 - 1, 2**31)])
def test_the_random_bits_are_those_of_every_backend(backend, seed, counter):
    import keras

    from trivium.backends.numpy import portable_random as numpy_room

    if backend == NUMPY:
        pytest.skip("compared from another backend")
    import importlib

    room = importlib.import_module(f"trivium.backends.{backend.name}.portable_random")
    pair = np.array([seed, counter], "uint32")
    tensor = keras.ops.convert_to_tensor(pair.view("int32") if backend.name == "torch" else pair)
    expected = keras.ops.convert_to_numpy(room.random_bits(tensor, (5, 7)))
    np.testing.assert_array_equal(numpy_room.random_bits(pair, (5, 7)), expected)
    mask = keras.ops.convert_to_numpy(room.dropout_mask(tensor, (9, 3), 40_000, 1.5))
    np.testing.assert_array_equal(numpy_room.dropout_mask(pair, (9, 3), 40_000, 1.5), mask)
