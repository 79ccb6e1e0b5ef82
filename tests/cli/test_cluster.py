"""`--executor ray` on the command line, in this process: the same results, and one line where it cannot be."""

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
    asked = ["--grid", "learning_rate=0.0001,0.1", "--data", "iris", "--epochs", "10", "--batch-size", "64", "--json"]
    shown = cli("search", f"{BUILDERS}:classes", *asked, "--executor", "ray", "--address", ray_address)
    assert shown.code == 0, shown
    there = json.loads(shown.out)
    given = {"data": "iris", "epochs": 10, "batch_size": 64, "workers": 0}
    ours = search(f"{BUILDERS}:classes", {"learning_rate": [0.0001, 0.1]}, **given)
    assert [row["params"] for row in there["rows"]] == [each.params for each in ours.candidates]
    for row, each in zip(there["rows"], ours.candidates, strict=True):
        assert row["scores"] == pytest.approx(each.scores, abs=1e-6)


@pytest.mark.several_backends
def test_a_suite_on_a_cluster(cli, here, backend, ray_address):
    asked = ["--recipes", "rnn/lstm", "--data", "waves:0:20", "--backends", backend.name, "--budget", "1", "--json"]
    shown = cli("bench", "epochs", *asked, "--executor", "ray", "--address", ray_address)
    assert shown.code == 0, shown
    found = json.loads(shown.out)
    assert found["asked"]["executor"] == "ray"
    assert {row["metric"] for row in found["rows"]} >= {STEADY, "build", "gemm_share"}
    measuring = executors.find_executor("ray", ray_address).dedicated_worker(backend.name)
    assert found["environment"][backend.name]["versions"]
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
    found = compare(
        "test", groups, {}, BenchmarkOptions(0.1, 1.0, executor=executor, ceilings=False, listener=kill_once)
    )
    (failed,) = found.failed
    assert "was killed or has crashed" in failed["why"]
    (left,) = found.find(metric=STEADY)
    assert left["n"] >= 8


@pytest.mark.several_backends
def test_no_cluster_is_one_line(refused, here, ray_address):
    asked = ["search", "dense/dropout", "--grid", "units=3"]
    line = refused(*asked, "--executor", "ray", "--address", "no-such-host.invalid:6379")
    assert "no Ray cluster answers at no-such-host.invalid:6379" in line


def test_an_address_without_a_cluster_is_one_line(refused, here):
    asked = ["search", "dense/dropout", "--grid", "units=3"]
    assert "is a Ray cluster's: add --executor ray" in refused(*asked, "--address", "10.0.0.1:6379")
