"""The history of results: what a line holds, which runs are compared, and where a change is shown. No framework."""

import json
import subprocess
from datetime import UTC, datetime

import numpy as np
import pytest

from trivium.benchmarks.report import answers, charts, history, tables
from trivium.benchmarks.trends import history_file
from trivium.benchmarks.trends.change_points import change_points
from trivium.errors import DataError

pytestmark = pytest.mark.plain

NOISE = np.random.default_rng(0).normal(0, 0.03, (100, 14))
ENVIRONMENT = {"processor": "A Processor", "cores": 2, "device": "cpu", "versions": {"keras": "3.15.1"}}


def results_of(seconds, **environment):
    where = {"suite": "epochs", "recipe": "rnn/lstm", "backend": "jax", "device": "cpu", "runner": "trivium"}
    figures = {"unit": "s", "n": 8, "median": seconds, "q1": seconds, "q3": seconds}
    rows = [{**where, "metric": metric, **figures} for metric in ("steady_epoch", "build")]
    return {"suite": "epochs", "asked": {}, "environment": {"jax": {**ENVIRONMENT, **environment}}, "rows": rows}


def day(number):
    return datetime(2026, 11, 1 + number, tzinfo=UTC)


@pytest.fixture
def past(tmp_path):
    """A history of 14 runs, of which the last seven take 1.3 times as long, and one of another machine."""
    for number, noise in enumerate(NOISE[0]):
        seconds = float(np.exp(noise)) * (1.3 if number >= 7 else 1)
        history_file.append(tmp_path, results_of(seconds), tmp_path, day(number))
    history_file.append(tmp_path, results_of(9.0, cores=64), tmp_path, day(20))
    return tmp_path


def test_a_run_is_a_line_with_commit_date_and_machine(tmp_path):
    def git(*arguments):
        subprocess.run(("git", "-c", "user.name=a", "-c", "user.email=a@b.c", *arguments), cwd=tmp_path, check=True)

    git("init", "-q")
    (tmp_path / "code.py").write_text("1")
    git("add", ".")
    git("commit", "-qm", "first")
    path = history_file.append(tmp_path / "past.jsonl", results_of(1.0), tmp_path, day(0))
    (tmp_path / "code.py").write_text("2")
    history_file.append(path, results_of(2.0), tmp_path, day(1))
    first, second = (json.loads(line) for line in path.read_text().splitlines())
    assert (first["date"], first["dirty"], second["dirty"]) == ("2026-11-01T00:00:00+00:00", False, True)
    assert len(first["commit"]) == 40
    assert first["machine"] == {"processor": "A Processor", "cores": 2}
    assert [entry["rows"][0]["median"] for entry in history_file.read(path)] == [1.0, 2.0]


def test_a_change_is_shown_with_its_run_and_interval_on_the_same_machine_only(past):
    part, other = history.read(past)
    (change,) = part.ratios
    assert (change["run"], change["date"]) == (8, "2026-11-08")
    assert 1 < change["low"] < 1.3 < change["high"]
    assert len(part.rows) == 14, "steady epochs, and not the time to build"
    assert [row["run"] for row in part.rows] == list(range(1, 15))
    assert len(other.rows) == 1
    first, sentence = answers.answer(part)
    assert first.startswith("A Processor, 2 cores: 14 runs, 2026-11-01 (no commit) to 2026-11-14")
    assert sentence.startswith("steady epoch of rnn/lstm on jax has changed at run 8 (no commit, 2026-11-08), or")
    assert "A change needs 8 runs" in answers.answer(other)[1]


def test_a_trend_has_a_chart_and_a_table_in_the_order_of_the_runs(past):
    pytest.importorskip("altair")
    part = history.read(past)[0]
    trend = next(chart for chart in charts.draw(part) if chart.title == "rnn/lstm: steady epoch")
    assert trend.note.endswith("at a dashed line the time has changed.")
    runs = [row[tables.cells(part).columns.index("run")].key for row in tables.cells(part).rows]
    assert runs == list(range(1, 15))


def test_of_a_hundred_series_of_noise_few_show_a_change():
    alarms = sum(bool(change_points(np.exp(series))) for series in NOISE)
    assert alarms <= 10, "5 are expected at most, and more than 10 in one of a hundred cases"


def test_a_clear_change_needs_four_runs_on_either_side():
    assert change_points([1, 1.1, 1.2, 1.3, 9, 9.1, 9.2]) == []
    (change,) = change_points([1, 1.1, 1.2, 1.3, 9, 9.1, 9.2, 9.3])
    assert (change.place, change.low, change.high) == (4, pytest.approx(9.1 / 1.3), pytest.approx(9.2 / 1))


def test_two_changes_are_found_where_they_are():
    steps = np.repeat([1.0, 1.5, 1.2], 10) * np.exp(np.random.default_rng(1).normal(0, 0.02, 30))
    first, second = change_points(steps)
    assert (first.place, second.place) == (10, 20)
    assert first.low < 1.5 < first.high
    assert second.low < 0.8 < second.high


def test_a_damaged_history_is_refused_in_one_line(tmp_path):
    with pytest.raises(DataError, match=r"there is no .*history.jsonl: give the --history"):
        history.read(tmp_path)
    path = tmp_path / "history.jsonl"
    path.write_text("")
    with pytest.raises(DataError, match="is empty: run a `trivium bench`"):
        history.read(tmp_path)
    path.write_text('{"schema": 1}\n')
    with pytest.raises(DataError, match="line 1 is no entry of"):
        history_file.require_writable(tmp_path)
    entry = {"schema": 1, "date": "2026", "machine": {}, "suite": "x", "asked": {}, "rows": [{"metric": 1}]}
    path.write_text(json.dumps(entry))
    with pytest.raises(DataError, match="is damaged"):
        history.read(tmp_path)
