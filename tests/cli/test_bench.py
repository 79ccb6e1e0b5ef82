"""`trivium bench`: other tools read its results, so their shape is tested; how fast this machine is, is not."""

import json
import shutil

import click
import pytest

from trivium.benchmarks import book, pooling_vs_striding
from trivium.cli.bench import command
from trivium.models import recipe as recipes

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


# --- the book -------------------------------------------------------------------------------------------------------


def test_a_suite_that_is_unknown_is_refused_with_those_there_are(refused):
    line = refused("bench", "nosuch", "--out", "kept")
    assert line == "trivium: no suite 'nosuch': choose one of pooling-vs-striding, book, masks, overhead"


@pytest.mark.parametrize("suite", command.commands)
def test_every_suite_has_help_with_an_example_and_explains_its_options(cli, suite):
    shown = cli("bench", suite, "--help")
    assert shown.code == 0
    assert f"trivium bench {suite}" in shown.out.partition("Example:")[2].partition("Options:")[0]
    options = [option for option in command.commands[suite].params if isinstance(option, click.Option)]
    assert {"--json", "--debug"} <= {name for option in options for name in option.opts}
    assert all(option.help for option in options)


@pytest.mark.parametrize("arguments", [["--json", "book"], ["book", "--json"]])
def test_json_may_stand_before_the_suite_or_after_it(cli, monkeypatch, arguments):
    monkeypatch.setattr(book, "measure", lambda *_, **__: book.Result([]))
    found = json.loads(cli("bench", *arguments).out)
    assert (found["schema"], found["rows"]) == (1, [])


def test_the_book_is_measured_and_kept(cli, here, backend, small_digits, shared_worker, tmp_path, monkeypatch):
    monkeypatch.setattr(book, "MEASURED", tmp_path / "measured.json")
    arguments = ["--recipes", "dense/small", "--backends", backend.name, "--data", small_digits, "--epochs", 2]
    shown = cli("bench", "book", *arguments, "--out", "kept", "--keep", "--json")
    assert shown.code == 0, shown.err
    found = json.loads(shown.out)
    assert found == json.loads((here / "kept/results.json").read_text())
    assert {row["metric"] for row in found["rows"]} == {
        "parameters",
        "steady_epoch",
        "val_accuracy",
        "best_val_accuracy",
    }
    assert all(list(row) == COLUMNS for row in found["rows"])
    (measured,) = found["measured"]
    assert (measured["recipe"], measured["backend"], measured["epochs"]) == ("dense/small", backend.name, 2)
    assert json.loads((tmp_path / "measured.json").read_text()) == {"dense/small": measured}
    assert "book: 100% " in shown.err


def test_the_book_prints_ours_beside_the_published(cli, here, monkeypatch):
    run = {
        "dataset": {"name": "mnist", "train": 60_000},
        "settings": {"batch_size": 256},
        "parameters": 251_722,
        "history": [{"val_accuracy": 0.75}, {"val_accuracy": 0.5}],
        "timings": {"epochs": [9.0, 2.5], "steady_epoch": 2.5},
        "environment": {"backend": "jax", "device": "cpu", "device_name": "p", "cores": 2, "versions": {"keras": "3"}},
    }
    asked = {}

    def measure(chosen, backends, **settings):
        asked.update(settings, recipes=chosen, backends=backends)
        return book.Result([book.Measurement(recipes.find("cnn/simple"), run)])

    monkeypatch.setattr(book, "measure", measure)
    shown = cli("bench", "book", "--recipes", "cnn,rnn/lstm", "--backends", "jax", "--epochs", "7")
    assert shown.code == 0
    assert asked["recipes"] == ["cnn", "rnn/lstm"]
    assert (asked["backends"], asked["data"], asked["epochs"]) == (["jax"], None, 7)
    (line,) = (line for line in shown.out.splitlines() if "cnn/simple" in line)
    ours, published = "val. accuracy 0.5 (at best 0.75) after 2 epochs", "val. accuracy 0.9862 after 100 epochs"
    assert " ".join(line.split()) == f"cnn/simple jax 251,722 {ours} {published} 2.5 66"
    assert list(here.iterdir()) == [], "nothing is kept without --out or --keep"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--recipes", "cnn,dense/smal"], "no recipe or family 'dense/smal'; did you mean 'dense/small'"),
        (["--backends", "nosuch"], "unknown backend 'nosuch'"),
        (["--epochs", "0"], "--epochs"),
    ],
)
def test_a_book_that_cannot_be_measured_is_refused(refused, arguments, said):
    assert said in refused("bench", "book", *arguments, "--out", "kept")


def test_data_that_do_not_go_with_a_recipe_are_refused(refused, backend, shared_worker):
    arguments = ["--recipes", "cnn/simple", "--backends", backend.name, "--data", "waves:0"]
    assert "does not go with cnn/simple" in refused("bench", "book", *arguments, with_progress=True)
