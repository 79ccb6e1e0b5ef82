"""A small search against scikit-learn over Keras' wrapper, and its report."""

import json

import pytest

from trivium.backends.workers import executors
from trivium.benchmarks.suites import search_speed
from trivium.errors import OptionError

pytestmark = pytest.mark.one_environment


def result():
    """What a run would give."""
    samples = {("grid", "wrapper"): [9.0, 10.0, 11.0], ("grid", "trivium"): [3.0, 3.0, 3.0]}
    scores = {("grid", "wrapper"): [0.9] * 3, ("grid", "trivium"): [0.91] * 3}
    return search_speed.SearchSpeedResult("jax", samples, scores, {"device": "cpu"}, {"tasks": ["grid"]})


def test_the_report_has_the_schema_of_all_suites():
    report = json.loads(json.dumps(result().to_json()))
    assert report["schema"] == 1
    assert {(row["runner"], row["metric"]): row["median"] for row in report["rows"]} == {
        ("wrapper", "grid"): 10.0,
        ("wrapper", "grid score"): 0.9,
        ("trivium", "grid"): 3.0,
        ("trivium", "grid score"): 0.91,
    }
    (ratio,) = report["ratios"]
    assert (ratio["of"], ratio["over"], ratio["metric"]) == ("wrapper", "trivium", "grid")
    assert ratio["ratio"] == pytest.approx(10 / 3, rel=0.02)


def test_the_command_prints_both_runners_and_their_ratio(tmp_path, monkeypatch, capsys):
    from trivium.cli.main import main

    monkeypatch.setattr(search_speed, "measure", lambda *arguments, **settings: result())
    with pytest.raises(SystemExit) as stopped:
        main(["bench", "search", "--tasks", "grid", "--out", str(tmp_path)])
    assert stopped.value.code == 0
    shown = capsys.readouterr().out
    assert "grid: trivium is 3.3" in shown
    assert [line.split() for line in shown.splitlines() if "wrapper" in line] == [["grid", "wrapper", "10", "0.9000"]]
    assert json.loads((tmp_path / "results.json").read_text()) == result().to_json()


def test_an_unknown_task_is_refused():
    with pytest.raises(OptionError, match=r"unknown task in gird \(known: cross-validation, grid\)"):
        search_speed.measure(tasks=("gird",))


@pytest.mark.slow
def test_both_sides_learn_the_same_from_the_same_folds(backend, shared_worker, monkeypatch):
    # With one worker, which is the one that tests share, nothing has to be started.
    monkeypatch.setattr(search_speed, "cores", lambda: 1)
    monkeypatch.setattr(executors, "cores", lambda: 1)
    result = search_speed.measure(tasks=("cross-validation",), epochs=12, folds=2, samples=600)
    assert result.arguments == {"tasks": ["cross-validation"], "epochs": 12, "folds": 2, "samples": 600, "seed": 1}
    wrapper, ours = (result.scores["cross-validation", runner][0] for runner in ("wrapper", "trivium"))
    assert wrapper > 0.3
    assert ours == pytest.approx(wrapper, abs=0.1)
    assert all(seconds > 0 for samples in result.samples.values() for seconds in samples)
