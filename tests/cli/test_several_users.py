"""Several jobs at once on one machine, with one cache of plans and of compiled code: each is what it is alone."""

import json

import pytest
from interrupted_runs import begin, require_identical

from trivium.backends import catalog

TRAIN = ["train", "dense/dropout", "--deterministic", "--checkpoint", "every=1,keep=2", "--epochs", "30"]
SEARCH = ["search", "dense/dropout", "--grid", "units=4,8,12", "--folds", "2", "--epochs", "3"]
BENCH = ["bench", "epochs", "--recipes", "dense/small", "--budget", "5s"]


def finish(processes):
    """Wait for processes, by name; return what they printed."""
    printed = {}
    for name, process in processes.items():
        out, err = process.communicate(timeout=900)
        assert process.returncode == 0, f"{name}: {err}"
        printed[name] = out + err
    return printed


@pytest.mark.slow
@pytest.mark.several_backends
@pytest.mark.parametrize("name", [backend.name for backend in catalog.BACKENDS if backend.trains])
def test_runs_a_search_and_a_benchmark_at_once_are_what_they_are_alone(name, here, small_digits):
    """First each with a cache of its own, then all with one that is empty at first."""
    data = ["--data", small_digits]
    jobs = {
        "one": [*TRAIN, *data, "--set", "units=8", "--out", "one"],
        "two": [*TRAIN, *data, "--set", "units=12", "--out", "two"],
        "same": [*TRAIN, *data, "--set", "units=8", "--out", "same"],
        "search": [*SEARCH, *data, "--out", "search"],
    }
    for job in ("one", "two", "search"):
        alone = [*jobs[job][:-1], f"{job}-alone"]
        finish({job: begin(alone, {"KERAS_BACKEND": name, "XDG_CACHE_HOME": str(here / f"cache-{job}")})})
    environment = {"KERAS_BACKEND": name, "XDG_CACHE_HOME": str(here / "cache")}
    together = {job: begin(arguments, environment) for job, arguments in jobs.items()}
    together["bench"] = begin([*BENCH, *data, "--backends", name, "--out", "bench"], environment)
    printed = finish(together)
    for job, alone in (("one", "one-alone"), ("two", "two-alone"), ("same", "one-alone")):
        require_identical(here / job, here / alone, 30)
    assert scores(here / "search") == scores(here / "search-alone")
    results = json.loads((here / "bench" / "results.json").read_text())
    assert {row["backend"] for row in results["rows"]} == {name}
    assert results["load"]["busy"] == ("The machine was busy" in printed["bench"])


def scores(folder):
    """Return the scores of a search, by combination."""
    rows = json.loads((folder / "results.json").read_text())["rows"]
    return {json.dumps(row["params"], sort_keys=True): row["scores"] for row in rows}
