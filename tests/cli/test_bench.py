"""`trivium bench`: other tools read its results, so their shape is tested; how fast this machine is, is not."""

import json
import shutil

import pytest

from trivium.benchmarks import pooling_vs_striding

SUITE = "pooling-vs-striding"
QUICK = ["--budget", "1", "--precision", "1"]
COLUMNS = ["suite", "recipe", "backend", "device", "runner", "metric", "unit", "n", "median", "q1", "q3"]


@pytest.fixture
def measured(cli, here, backend, small_digits, shared_worker, tmp_path_factory):
    """The JSON that the suite printed under this backend, and the folder it kept; run once for all tests."""
    kept = tmp_path_factory.getbasetemp() / f"bench-{backend.name}"
    if not kept.exists():
        shown = cli(
            "bench", SUITE, "--backends", backend.name, "--data", small_digits, *QUICK, "--out", "kept", "--json"
        )
        assert shown.code == 0, shown.err
        (here / "kept/printed.json").write_text(shown.out)
        (here / "kept/progress.txt").write_text(shown.err)
        shutil.copytree(here / "kept", kept)
    return json.loads((kept / "printed.json").read_text()), kept


def test_a_suite_keeps_what_it_prints_with_a_chart_and_tells_how_far_it_is(measured, backend):
    found, kept = measured
    assert found == json.loads((kept / "results.json").read_text())
    assert (kept / "epochs.png").read_bytes().startswith(b"\x89PNG")
    assert (found["schema"], list(found["environment"])) == (1, [backend.name])
    assert found["stopped_by"] in {"precision", "budget"}
    assert "measure: 100% " in (kept / "progress.txt").read_text()


def test_a_suite_gives_a_row_for_each_recipe_and_quantity(measured, backend):
    found, _ = measured
    metrics = [(row["recipe"], row["metric"]) for row in found["rows"]]
    assert sorted(metrics) == sorted(
        (recipe, metric)
        for recipe in ("cnn/pooling", "cnn/striding")
        for metric in ("steady_epoch", "build", "compile", "first_epoch")
    )
    for row in found["rows"]:
        assert list(row) == COLUMNS
        assert (row["suite"], row["backend"], row["runner"], row["unit"]) == (SUITE, backend.name, "trivium", "s")
        assert row["n"] == (found["rounds"] if row["metric"] == "steady_epoch" else 1)
        assert 0 <= row["q1"] <= row["median"] <= row["q3"]
    assert found["rounds"] >= 5


def test_a_suite_gives_the_ratio_of_the_medians_with_its_interval(measured):
    found, _ = measured
    steady = {row["recipe"]: row["median"] for row in found["rows"] if row["metric"] == "steady_epoch"}
    (ratio,) = found["ratios"]
    assert (ratio["of"], ratio["over"], ratio["metric"]) == ("cnn/pooling", "cnn/striding", "steady_epoch")
    assert ratio["ratio"] == pytest.approx(steady["cnn/pooling"] / steady["cnn/striding"])
    assert ratio["low"] <= ratio["high"]


def result(of_pooling):
    """What a measurement of five rounds would give."""
    environment = {"environment": {"device": "cpu"}, "compile": 1.5, "build": 0.25, "first_epoch": 2.0}
    cells = {("jax", recipe): environment for recipe in pooling_vs_striding.RECIPES}
    samples = {("jax", "cnn/pooling"): of_pooling, ("jax", "cnn/striding"): [1.0, 1.01, 0.99, 1.02, 0.98]}
    return pooling_vs_striding.Result(cells, pooling_vs_striding.Rounds(samples))


@pytest.mark.parametrize(
    ("of_pooling", "verdict"),
    [
        ([4.0, 4.04, 3.96, 4.08, 3.92], "jax        pooling costs 4.00 × striding [4.00, 4.00]"),
        ([1.0, 0.9, 1.1, 1.0, 1.0], ": no difference"),
    ],
)
def test_a_suite_prints_a_table_and_a_verdict(cli, here, monkeypatch, of_pooling, verdict):
    asked = {}

    def measure(names, **settings):
        asked.update(settings, names=names)
        return result(of_pooling)

    monkeypatch.setattr(pooling_vs_striding, "measure", measure)
    shown = cli("bench", SUITE, "--backends", "jax,torch", "--data", "waves:0", "--budget", "7", "--precision", "0.1")
    assert shown.code == 0
    assert asked.pop("listener") is not None
    assert asked == {"names": ["jax", "torch"], "data": "waves:0", "budget": 7, "precision": 0.1}
    (line,) = (line for line in shown.out.splitlines() if "cnn/striding" in line)
    assert line.split() == ["jax", "cnn/striding", "1", "0.99", "–", "1.01", "1.5"]
    assert verdict in shown.out
    assert "5 interleaved rounds, stopped by budget." in shown.out
    assert list(here.iterdir()) == [], "nothing is kept without --out"


def test_a_backend_that_cannot_be_is_refused(refused, backend, others, not_installed):
    not_installed(*others)
    assert "unknown backend 'nosuch'" in refused("bench", SUITE, "--backends", f"{backend.name},nosuch")
    assert f"pip install 'trivium[{others[0]}]'" in refused("bench", SUITE, "--backends", others[0])


def test_data_that_cannot_be_read_are_refused_in_the_workers_words(refused, backend, shared_worker):
    for data, said in (("nosuch.npz", "nosuch.npz: no such file"), ("waves:0", "does not go with cnn/pooling")):
        arguments = ["--backends", backend.name, "--data", data, *QUICK, "--out", "kept"]
        assert said in refused("bench", SUITE, *arguments, with_progress=True)
