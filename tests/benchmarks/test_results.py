"""Results as data: they are written, read and resumed; foreign files are refused."""

import itertools
import json

import pytest

from trivium.benchmarks.cells import CellGroup, TimedCell
from trivium.benchmarks.measure import InterleavedRounds
from trivium.benchmarks.results import STEADY, Results, group_result, read
from trivium.benchmarks.suite import BenchmarkOptions, compare
from trivium.benchmarks.suites.pooling_vs_striding import SUITE, _groups
from trivium.errors import DataError
from trivium.storage.atomic import write_json

pytestmark = pytest.mark.plain

TOLD = {
    "environment": {"device": "cpu"},
    "plan": {"name": "steps"},
    "compile": 1.5,
    "samples": 10,
    "operations": 4e9,
    "traffic": 1e9,
    "ceilings": {"gemm_gflops": 8.0, "copy_gbytes": 2.0},
    "quality": {"epochs": 10, "metrics": {"accuracy": 0.75, "val_accuracy": 0.5, "loss": float("nan")}},
    "layer_times": [{"layer": "dense", "kind": "Dense", "seconds": 0.25}],
}
GROUPS = list(_groups("jax", {"data": "few"}, True, True))
ASKED = {"sizes": [1, 2]}


@pytest.fixture
def whole():
    """Every group of a suite that has all kinds of rows, each cell with seconds of its own."""
    results, seconds = Results(SUITE, ASKED), itertools.count(1)
    for group in GROUPS:
        samples = {cell: [float(next(seconds))] * 8 for cell in group.cells}
        session_info = dict.fromkeys(group.cells, TOLD)
        results.groups[group.title] = group_result(SUITE, group, session_info, {}, InterleavedRounds(samples, "budget"))
    return results


def taken(earlier):
    results = Results(SUITE, ASKED)
    results.resume_from(earlier, GROUPS)
    return results


def test_written_results_are_resumed_group_by_group(whole, tmp_path):
    write_json(tmp_path / "results.json", whole.to_json())
    resumed = taken(read(tmp_path))
    assert {title: vars(group) for title, group in resumed.groups.items()} == {
        title: vars(group) for title, group in whole.groups.items()
    }
    assert resumed.to_json() == whole.to_json()


def test_an_incomplete_group_is_not_resumed(whole):
    earlier = json.loads(json.dumps(whole.to_json()))
    first, _, third, *rest = GROUPS
    earlier["failed"] = [{"cell": first.cells[0].title, "why": "killed"}]
    earlier["rows"] = [
        row for row in earlier["rows"] if (row["recipe"], row["metric"]) != ("cnn/blocks-striding", STEADY)
    ]
    assert list(taken(earlier).groups) == [group.title for group in (third, *rest)]
    earlier["stopped_by"] = "interrupted"
    assert taken(earlier).groups == {}


def test_when_nothing_is_missing_nothing_is_measured(whole):
    heard = []
    results = compare(SUITE, GROUPS, ASKED, BenchmarkOptions(earlier_results=whole.to_json(), listener=heard.append))
    assert results.rows == whole.rows
    assert {event["stage"] for event in heard} == {"done"}


def test_results_of_other_arguments_are_not_resumed(whole):
    for earlier in ({**whole.to_json(), "asked": {"data": "mnist"}}, {**whole.to_json(), "suite": "book"}):
        with pytest.raises(DataError, match=r"another measurement \(suite .*leave `resume` out"):
            taken(earlier)
    with pytest.raises(DataError, match="another measurement"):
        taken({"schema": 1, "rows": [], "ratios": []})


def test_the_rows_of_a_cell(whole):
    rows = {row["metric"]: row for row in whole.rows if row["recipe"] == "cnn/striding"}
    assert rows[STEADY]["median"] == 2.0
    expected = {
        "throughput": 5.0,  # 10 samples in 2 s
        "flops": 4e9,
        "intensity": 4.0,
        "gflops": 2.0,
        "gemm_share": 0.25,
        "copy_share": 0.25,  # 1 GB in 2 s of 2 GB/s
        "accuracy": 0.75,
        "val_accuracy": 0.5,
        "gap": 0.25,
        "compile": 1.5,
        "layer_answer": 0.25,
    }
    assert {metric: row["median"] for metric, row in rows.items() if metric != STEADY} == expected
    assert rows["val_accuracy"]["epochs"] == 10
    assert (rows["layer_answer"]["layer"], rows["layer_answer"]["kind"]) == ("dense", "Dense")
    json.dumps(whole.to_json(), allow_nan=False)


def test_the_median_of_another_metric_is_of_the_same_cell(whole):
    ladder, swept = (
        next(row for row in whole.find(metric=STEADY, way="pooling") if ("filters" in row) is swept)
        for swept in (False, True)
    )
    assert whole.cell_median(ladder, "gflops") == pytest.approx(4 / ladder["median"])
    assert whole.cell_median(swept, "gflops") == pytest.approx(4 / swept["median"])
    assert whole.cell_median(swept, "val_loss") is None


def test_a_ratio_of_two_recipes_names_both_and_has_their_common_sweep_point(whole):
    assert whole.ratios[0]["recipe"] == "cnn/pooling ÷ cnn/striding"
    swept = [ratio for ratio in whole.ratios if "filters" in ratio]
    assert [(ratio["of"], ratio["over"], ratio["filters"], ratio["image_size"]) for ratio in swept] == [
        ("pooling", "striding", 8, 28),
        ("pooling", "striding", 16, 14),
    ]
    assert "way" not in swept[0]


def test_a_lost_cell_is_marked_and_has_no_ratio():
    lost, left = (TimedCell("rnn/lstm", name, name) for name in ("jax", "torch"))
    group = CellGroup("rnn/lstm", [lost, left], [(lost, left)])
    info = {"environment": {"device": "cpu"}, "plan": {}, "build": 2.0}
    rounds = InterleavedRounds({left: [1.0] * 8}, "budget", {lost: "killed"})
    result = group_result("epochs", group, {lost: info, left: info}, {lost: "killed"}, rounds)
    assert result.failed == [{"cell": "rnn/lstm on jax", "why": "killed"}]
    assert result.ratios == []
    assert {(row["backend"], row["metric"]) for row in result.rows} == {
        ("jax", "build"),
        ("torch", "build"),
        ("torch", STEADY),
    }
    assert not result.complete


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "cannot be read"),
        ("[]", "no result of `trivium bench`"),
        ('{"rows": []}', "no result of `trivium bench`"),
        ('{"schema": 99, "rows": [], "ratios": []}', "schema 99"),
    ],
)
def test_foreign_files_are_refused_in_a_line(tmp_path, text, said):
    (tmp_path / "results.json").write_text(text)
    with pytest.raises(DataError, match=said):
        read(tmp_path)
    assert read(tmp_path / "nowhere") is None
