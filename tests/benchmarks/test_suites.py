"""The suites end to end, small: real epochs in real workers."""

import json
import math
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import schemas

from trivium.backends import catalog
from trivium.benchmarks import pooling_chart
from trivium.benchmarks.suite import BenchmarkOptions
from trivium.benchmarks.suites import demo, pooling_vs_striding
from trivium.benchmarks.suites.pooling_vs_striding import PAIRS, RECIPES

ROOT = Path(__file__).parents[2]


@pytest.fixture
def few_digits(digits, tmp_path):
    """A file of digits few enough for an epoch to take no time; still more than one batch."""
    path = tmp_path / "few.npz"
    train, test = digits.train, digits.test
    np.savez(path, x_train=train.x, y_train=train.y, x_test=test.x, y_test=test.y)
    return str(path)


@pytest.mark.several_backends
def test_pooling_against_striding_on_every_backend(tmp_path, few_digits):
    heard = []
    options = BenchmarkOptions(budget=1, precision=0.5, ceilings=False, listener=heard.append)
    result = pooling_vs_striding.measure(data=few_digits, why=False, options=options)
    backends = [backend.name for backend in catalog.trainers()]
    report = json.loads(json.dumps(result.to_json(), allow_nan=False))
    steady = [row for row in report["rows"] if row["metric"] == "steady_epoch"]
    assert [(row["backend"], row["recipe"]) for row in steady] == [(b, r) for b in backends for r in RECIPES]
    assert all(row["n"] >= 8 and 0 < row["q1"] <= row["median"] <= row["q3"] for row in steady)
    for backend, ratio in zip(backends, report["ratios"], strict=True):
        assert ratio["backend"] == backend
        assert 0 < ratio["low"] <= ratio["ratio"] <= ratio["high"]
        # A pooled convolution computes every pixel, a striding one every fourth.
        pooling, striding = (result.median(backend=backend, recipe=recipe, metric="flops") for recipe in RECIPES)
        assert pooling > 2 * striding
        assert report["environment"][backend]["backend"] == backend
    accuracies = [row for row in report["rows"] if row["metric"] == "val_accuracy"]
    assert len(accuracies) == len(steady)
    assert {row["epochs"] for row in accuracies} == {report["rounds"] + 2}, "all after as many epochs"
    assert heard[-1]["done"] == heard[-1]["total"]
    pooling_chart.save_epoch_bars(result, tmp_path / "epochs.png")
    assert (tmp_path / "epochs.png").stat().st_size > 10_000


@pytest.mark.several_backends
def test_the_demonstration_leaves_runs_and_ports_a_model(tmp_path, monkeypatch, few_digits):
    monkeypatch.setattr(demo, "EPOCHS", dict.fromkeys(demo.EPOCHS, 2))
    result = demo.run(tmp_path / "demo", lambda event: None, digits=few_digits)
    backends = [backend.name for backend in catalog.trainers()]
    assert list(result.runs) == [(backend, recipe) for backend in backends for recipe in demo.EPOCHS]
    assert all(run["timings"]["steady_epoch"] > 0 for run in result.runs.values())
    assert [report.target for report in result.ports] == [name for name in backends if name != "jax"]
    assert all(report.passed for report in result.ports)
    for backend in backends:
        assert (tmp_path / "demo" / f"cnn-striding-{backend}" / "curves.png").is_file()
        assert (tmp_path / "demo" / f"rnn-lstm-{backend}" / "predictions.png").is_file()
    schemas.validate("commands/demo", json.loads(json.dumps(result.to_json(), allow_nan=False)))


@pytest.mark.one_environment
def test_pytest_benchmark_times_an_epoch(backend, tmp_path):
    report = tmp_path / "report.json"
    subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-q", "benchmarks/test_epoch.py", "-k", "one-hidden"),
            *("-p", "no:cacheprovider", f"--benchmark-json={report}"),
        ],
        cwd=ROOT,
        env={**os.environ, "KERAS_BACKEND": backend.name},
        check=True,
        capture_output=True,
    )
    (timing,) = json.loads(report.read_text())["benchmarks"]
    assert timing["extra_info"] == {"backend": backend.name, "parameters": 623_290, "samples": 3750}
    assert timing["stats"]["rounds"] == 5
    assert timing["stats"]["median"] > 0


def test_a_session_reports_its_model_and_times_its_epochs(backend):
    from trivium.benchmarks import epoch_session

    opened = epoch_session.open_session("here", "rnn/lstm", data="waves:0:40", batch_size=8)
    assert (opened["parameters"], opened["samples"]) == (64, 37)
    assert opened["environment"]["backend"] == backend.name
    assert opened["first_epoch"] > 0 <= opened["compile"]
    assert opened["memory"] >= 0
    assert opened["operations"] == 37 * sum(layer["training"] for layer in opened["layers"]) > 0
    assert (epoch_session.quality("here")["epochs"], epoch_session.quality("here")["monitor"]) == (2, "loss")
    assert epoch_session.time_epoch("here") > 0
    epoch_session.close_session("here")
    with pytest.raises(KeyError):
        epoch_session.time_epoch("here")


@pytest.mark.parametrize("runner", ["trivium", "fit", "native"])
def test_short_epochs_are_timed_several_in_a_row(backend, runner):
    from trivium.benchmarks.epoch_session import EpochSession

    opened = EpochSession("rnn/lstm", "waves:0:20", batch_size=8, runner=runner, min_seconds=0.5)
    before, steps = opened.epochs, int(opened._model.optimizer.iterations)
    began = time.perf_counter()
    mean = opened.time_epoch()
    whole, in_a_row = time.perf_counter() - began, opened.epochs - before
    assert in_a_row == math.ceil(0.5 / opened.warm_epoch)
    assert 0 < mean <= whole / in_a_row
    if runner != "native":  # which trains weights of its own
        assert int(opened._model.optimizer.iterations) - steps == in_a_row * math.ceil(opened.samples / 8)


def test_the_suite_compares_the_recipes_of_the_book():
    from trivium.models import recipe as recipes

    assert {name for pair in PAIRS for name in pair} <= recipes.registry().keys()
