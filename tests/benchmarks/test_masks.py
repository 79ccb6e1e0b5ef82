"""Owned masks against native ones, small: real epochs in real workers, and the report."""

import json

import pytest

from trivium.benchmarks.cells import CellGroup, TimedCell
from trivium.benchmarks.measure import InterleavedRounds
from trivium.benchmarks.results import Results, group_result
from trivium.benchmarks.suite import BenchmarkOptions
from trivium.benchmarks.suites import masks
from trivium.errors import RecipeError


def result(owned, stopped_by="budget"):
    """What rounds with these seconds would give."""
    cells = {name: TimedCell(masks.RECIPE, "jax", name, suffix=f"_{name}") for name in masks.GENERATORS}
    info = {"environment": {"device": "cpu"}, "compile": 1.5, "plan": {"name": "steps"}}
    samples = dict(zip(cells.values(), (owned, [1.0, 1.01, 0.99, 1.02, 0.98, 1.0, 1.0, 1.0, 1.0]), strict=True))
    group = CellGroup("jax", list(samples), [tuple(samples)])
    outcome = group_result(masks.SUITE, group, dict.fromkeys(samples, info), {}, InterleavedRounds(samples, stopped_by))
    return Results(masks.SUITE, groups={"jax": outcome})


@pytest.mark.parametrize(
    ("owned", "verdict"),
    [
        (
            [0.5, 0.505, 0.495, 0.51, 0.49, 0.5, 0.5, 0.5, 0.5],
            "jax        cnn/pooling: owned costs 0.50 × native [0.50, 0.50]",
        ),
        ([1.0, 0.9, 1.1, 1.0, 1.0, 0.9, 1.1, 1.0, 1.0], ": no difference"),
    ],
)
def test_the_command_prints_a_table_and_a_verdict(tmp_path, monkeypatch, capsys, owned, verdict):
    from trivium.cli.main import main

    received = {}

    def measure(recipe, names, **settings):
        received.update(settings, recipe=recipe, names=names)
        return result(owned)

    monkeypatch.setattr(masks, "measure", measure)
    arguments = ["--recipe", "dense/dropout", "--backends", "jax", "--budget", "7", "--out", str(tmp_path / "kept")]
    with pytest.raises(SystemExit) as stopped:
        main(["bench", "masks", *arguments])
    assert stopped.value.code == 0
    options = received.pop("options")
    assert (options.budget, options.precision, options.threads) == (7, 0.02, None)
    assert received == {"recipe": "dense/dropout", "names": ["jax"], "data": None}
    shown = capsys.readouterr().out
    assert verdict in shown
    (line,) = (line for line in shown.splitlines() if line.split()[:2] == ["jax", "native"])
    assert line.split() == ["jax", "native", "1", "1", "–", "1", "1.5"]
    assert json.loads((tmp_path / "kept" / "results.json").read_text()) == result(owned).to_json()


def test_the_report_has_the_schema_of_all_suites():
    report = result([2.0, 2.02, 1.98, 2.04, 1.96, 2.0, 2.0, 2.0, 2.0]).to_json()
    assert (report["schema"], report["plans"]) == (1, {"cnn/pooling on jax": "steps"})
    assert (report["rounds"], report["stopped_by"], report["failed"]) == (9, "budget", [])
    assert {row["metric"]: row["median"] for row in report["rows"]} == {
        "steady_epoch_owned": 2.0,
        "compile_owned": 1.5,
        "steady_epoch_native": 1.0,
        "compile_native": 1.5,
    }
    (ratio,) = report["ratios"]
    assert (ratio["of"], ratio["over"], ratio["metric"], ratio["recipe"]) == (
        "owned",
        "native",
        "steady_epoch",
        "cnn/pooling",
    )
    assert ratio["ratio"] == pytest.approx(2)


def test_an_unknown_recipe_is_refused_before_anything_starts():
    with pytest.raises(RecipeError, match="unknown recipe 'cnn/poling'; did you mean 'cnn/pooling'"):
        masks.measure("cnn/poling")


def test_owned_and_native_masks_are_timed(backend, shared_worker, digits, tmp_path):
    import numpy as np

    train, test = digits.train, digits.test
    np.savez(tmp_path / "few.npz", x_train=train.x, y_train=train.y, x_test=test.x, y_test=test.y)
    heard = []
    options = BenchmarkOptions(budget=1, precision=1, listener=heard.append)
    report = masks.measure("dense/dropout", [backend.name], data=str(tmp_path / "few.npz"), options=options).to_json()
    rows = {row["metric"]: row for row in report["rows"]}
    assert all(rows[f"steady_epoch_{whose}"]["n"] >= 8 for whose in masks.GENERATORS)
    assert all(rows[f"steady_epoch_{whose}"]["median"] > 0 for whose in masks.GENERATORS)
    assert list(report["plans"]) == [f"dense/dropout on {backend.name}"]
    assert heard[-1]["done"] == heard[-1]["total"]
    json.dumps(report, allow_nan=False)
