"""`--executor ray` on the command line: the same results, and a one-line message if there is no cluster."""

import json
import os
import signal
from pathlib import Path

import pytest

from trivium.backends.workers import executors
from trivium.benchmarks.cells import CellGroup, TimedCell
from trivium.benchmarks.results import STEADY
from trivium.benchmarks.suite import BenchmarkOptions, compare
from trivium.engine.search.search import search

BUILDERS = Path(__file__).parents[1] / "helpers" / "functions_for_estimators.py"


@pytest.mark.several_backends
def test_a_search_on_a_cluster(cli, here, backend, ray_address):
    arguments = [
        "--grid",
        "learning_rate=0.0001,0.1",
        "--data",
        "iris",
        "--epochs",
        "10",
        "--batch-size",
        "64",
        "--json",
    ]
    shown = cli("search", f"{BUILDERS}:classes", *arguments, "--executor", "ray", "--address", ray_address)
    assert shown.code == 0, shown
    there = json.loads(shown.out)
    options = {"data": "iris", "epochs": 10, "batch_size": 64, "workers": 0}
    ours = search(f"{BUILDERS}:classes", {"learning_rate": [0.0001, 0.1]}, **options)
    assert [row["params"] for row in there["rows"]] == [candidate.params for candidate in ours.candidates]
    for row, candidate in zip(there["rows"], ours.candidates, strict=True):
        assert row["scores"] == pytest.approx(candidate.scores, abs=1e-6)


@pytest.mark.several_backends
def test_a_suite_on_a_cluster(cli, here, backend, ray_address):
    arguments = ["--recipes", "rnn/lstm", "--data", "waves:0:20", "--backends", backend.name, "--budget", "1", "--json"]
    shown = cli("bench", "epochs", *arguments, "--executor", "ray", "--address", ray_address)
    assert shown.code == 0, shown
    results = json.loads(shown.out)
    assert results["asked"]["executor"] == "ray"
    assert {row["metric"] for row in results["rows"]} >= {STEADY, "build", "gemm_share"}
    measuring = executors.find_executor("ray", ray_address).dedicated_worker(backend.name)
    assert results["environment"][backend.name]["versions"]
    assert measuring.pid != os.getpid()


@pytest.mark.several_backends
def test_a_worker_that_is_killed_there_loses_its_cell_and_no_other(backend, ray_address):
    executor = executors.find_executor("ray", ray_address)
    wave = {"data": "waves:0:20", "batch_size": 8}
    cells = [
        TimedCell("rnn/lstm", backend.name, f"of {n}", sweep_point=(("batch_size", n),), settings=wave) for n in (8, 16)
    ]
    killed = []

    def kill_once(event):
        if event["stage"].startswith("2 rounds") and not killed:
            killed.append(executor.dedicated_worker(backend.name).pid)
            os.kill(killed[0], signal.SIGKILL)

    groups = [CellGroup(cell.name, [cell], []) for cell in cells]
    results = compare(
        "test", groups, {}, BenchmarkOptions(0.1, 1.0, executor=executor, ceilings=False, listener=kill_once)
    )
    (failed,) = results.failed
    assert "was killed or has crashed" in failed["why"]
    (left,) = results.find(metric=STEADY)
    assert left["n"] >= 8


@pytest.mark.several_backends
def test_no_cluster_is_one_line(refused, here, ray_address):
    arguments = ["search", "dense/dropout", "--grid", "units=3"]
    line = refused(*arguments, "--executor", "ray", "--address", "no-such-host.invalid:6379")
    assert "no Ray cluster answers at no-such-host.invalid:6379" in line


def test_an_address_without_a_cluster_is_one_line(refused, here):
    arguments = ["search", "dense/dropout", "--grid", "units=3"]
    assert "is a Ray cluster's: add --executor ray" in refused(*arguments, "--address", "10.0.0.1:6379")
