"""Cells in real workers: the death of a worker loses one cell only, which resuming measures again."""

import json
import os
import signal

import pytest

from trivium.backends.workers import worker
from trivium.benchmarks.cells import CellGroup, OpenCells, TimedCell
from trivium.benchmarks.results import STEADY, read
from trivium.benchmarks.suite import BenchmarkOptions, compare
from trivium.errors import BackendError, WorkerError
from trivium.storage.atomic import write_json

pytestmark = pytest.mark.one_environment

WAVE = {"data": "waves:0:20", "batch_size": 8}
QUICK = BenchmarkOptions(budget=0.1, precision=1.0, ceilings=False)


@pytest.fixture
def pair(backend):
    return [
        TimedCell("rnn/lstm", backend.name, f"of {n}", sweep_point=(("batch_size", n),), settings=WAVE) for n in (8, 16)
    ]


def test_sessions_are_closed_whatever_happens(backend, shared_worker, pair):
    cells = OpenCells(lambda event: None)

    def measure_and_fail():
        with cells:
            cells.open(pair)
            assert all(cells.time_epoch(cell) > 0 for cell in pair)
            raise RuntimeError("on the way")

    with pytest.raises(RuntimeError, match="on the way"):
        measure_and_fail()
    with pytest.raises(WorkerError, match="KeyError"):
        cells.time_epoch(pair[0])


def test_a_killed_worker_loses_its_cell_and_no_other(backend, pair, tmp_path):
    """The group of the dead cell is incomplete, the other one is whole; resuming measures only the first."""
    lost, left = pair
    groups = [CellGroup("first", [lost], []), CellGroup("second", [left], [])]
    arguments = {"what": "a test"}
    killed = []

    def kill_once(event):
        if event["stage"].startswith("2 rounds") and not killed:
            process = worker.get(backend.name, threads=1)  # the shared one is for the other tests
            killed.append(process.pid)
            os.kill(process.pid, signal.SIGKILL)

    results = compare("test", groups, arguments, BenchmarkOptions(0.1, 1.0, 1, ceilings=False, listener=kill_once))
    (failed,) = results.failed
    assert "was killed (signal 9" in failed["why"]
    rounds = {row["batch_size"]: row["n"] for row in results.find(metric=STEADY)}
    (survivor,) = rounds
    assert rounds[survivor] >= 8
    assert failed["cell"] == {8: left, 16: lost}[survivor].title
    write_json(tmp_path / "results.json", results.to_json())

    heard = []
    resumed = compare(
        "test",
        groups,
        arguments,
        BenchmarkOptions(0.1, 1.0, 1, ceilings=False, earlier_results=read(tmp_path), listener=heard.append),
    )
    assert resumed.failed == []
    assert {row["batch_size"] for row in resumed.find(metric=STEADY)} == {8, 16}
    assert resumed.find(metric=STEADY, batch_size=survivor) == results.find(metric=STEADY, batch_size=survivor)
    opened = [event["stage"] for event in heard if event["title"] == "compile"]
    assert opened == [failed["cell"], "done"], "what was whole is not measured again"


def test_losing_every_cell_is_an_error(monkeypatch, backend, pair):
    def die(self, cell):
        raise WorkerError("it was killed")

    monkeypatch.setattr(OpenCells, "_open", die)
    with pytest.raises(WorkerError, match="it was killed"):
        compare("test", [CellGroup("g", pair, [tuple(pair)])], {}, QUICK)


def test_a_missing_device_is_an_error(backend, shared_worker):
    from trivium.backends import runtime

    other = "gpu" if runtime.current().devices()[0].kind == "cpu" else "tpu"
    with pytest.raises(BackendError, match=f"finds no {other} here"):
        shared_worker.call("trivium.benchmarks.epoch_session:open_session", "x", "rnn/lstm", device=other)


def test_results_have_the_arguments_and_the_load_of_the_machine(backend, shared_worker, pair):
    saved = []
    options = BenchmarkOptions(
        0.1, 1.0, ceilings=False, save=lambda results: saved.append(json.dumps(results.to_json()))
    )
    results_json = compare("test", [CellGroup("g", pair, [tuple(pair)])], {"a": 1}, options).to_json()
    assert json.loads(saved[-1])["rows"] == results_json["rows"]
    assert (results_json["suite"], results_json["asked"], results_json["failed"]) == ("test", {"a": 1}, [])
    assert results_json["load"]["busy"] == (results_json["load"]["average"] > 0.5)
    (ratio,) = results_json["ratios"]
    assert (ratio["of"], ratio["over"], ratio["recipe"], ratio["backend"]) == (
        "of 8",
        "of 16",
        "rnn/lstm",
        backend.name,
    )
    environment = results_json["environment"][backend.name]
    assert environment["affinity"] == sorted(os.sched_getaffinity(0))
    assert environment.keys() >= {"governor", "thread_settings", "load_average", "memory_bytes", "versions"}
    metrics = {row["metric"] for row in results_json["rows"]}
    assert metrics >= {STEADY, "build", "compile", "first_epoch", "memory", "flops", "gflops", "intensity"}
    (steady,) = (row for row in results_json["rows"] if row["metric"] == STEADY and row["batch_size"] == 8)
    (gflops,) = (row for row in results_json["rows"] if row["metric"] == "gflops" and row["batch_size"] == 8)
    (flops,) = (row for row in results_json["rows"] if row["metric"] == "flops" and row["batch_size"] == 8)
    assert gflops["q1"] <= flops["median"] / steady["median"] / 1e9 <= gflops["q3"]
