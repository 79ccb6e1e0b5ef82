"""`trivium bench`: the format of the results, which other tools read. The speed of this machine is not tested."""

import json
import re
import shutil

import click
import pytest
import schemas

from trivium.benchmarks.cells import CellGroup, TimedCell
from trivium.benchmarks.measure import InterleavedRounds
from trivium.benchmarks.results import Results, group_result
from trivium.benchmarks.suites import book, pooling_vs_striding
from trivium.cli.bench import command
from trivium.cli.verify import command as verify
from trivium.data import datasets
from trivium.engine.epochs import environment
from trivium.models import recipe as recipes
from trivium.storage.atomic import write_json

pytestmark = pytest.mark.one_environment

SUITE = "pooling-vs-striding"
QUICK = ["--budget", "1", "--precision", "1"]
COLUMNS = ["suite", "recipe", "backend", "device", "runner", "metric", "unit", "n", "median", "q1", "q3"]


@pytest.fixture
def measured(cli, here, backend, small_digits, shared_worker, tmp_path_factory):
    """The JSON that the suite printed on this backend, and its output folder; run once for all tests."""
    folder = tmp_path_factory.getbasetemp() / f"bench-{backend.name}"
    if not folder.exists():
        shown = cli(
            "bench",
            SUITE,
            "--no-why",
            "--backends",
            backend.name,
            "--data",
            small_digits,
            *QUICK,
            "--out",
            "kept",
            "--json",
        )
        assert shown.code == 0, shown.err
        (here / "kept/printed.json").write_text(shown.out)
        (here / "kept/progress.txt").write_text(shown.err)
        shutil.copytree(here / "kept", folder)
    return json.loads((folder / "printed.json").read_text()), folder


def test_a_suite_keeps_what_it_prints_with_a_chart_and_tells_how_far_it_is(measured, backend):
    results, folder = measured
    assert results == json.loads((folder / "results.json").read_text())
    schemas.validate("files/results", results)
    assert (folder / "epochs.png").read_bytes().startswith(b"\x89PNG")
    assert (results["schema"], list(results["environment"])) == (1, [backend.name])
    assert results["stopped_by"] in {"precision", "budget"}
    assert "measure: 100% " in (folder / "progress.txt").read_text()


def test_a_suite_gives_a_row_for_each_recipe_and_quantity(measured, backend):
    results, _ = measured
    units = {(row["recipe"], row["metric"], row.get("layer")): row["unit"] for row in results["rows"]}
    assert len(units) == len(results["rows"])
    layers = [
        row["kind"] for row in results["rows"] if row["metric"] == "layer_answer" and row["recipe"] == "cnn/pooling"
    ]
    assert layers == [*["Conv2D", "Dropout", "MaxPooling2D"] * 2, "Flatten", *["Dense"] * 3]
    for recipe in ("cnn/pooling", "cnn/striding"):
        times = dict.fromkeys(("steady_epoch", "build", "compile", "first_epoch"), "s")
        arithmetic = {"flops": "FLOP", "gflops": "GFLOP/s", "gemm_share": "1", "copy_share": "1", "memory": "B"}
        quality = {"accuracy": "1", "val_accuracy": "1", "gap": "1"}
        for metric, unit in {**times, **arithmetic, **quality}.items():
            assert units[recipe, metric, None] == unit
    for row in results["rows"]:
        assert list(row)[: len(COLUMNS)] == COLUMNS
        assert (row["suite"], row["backend"], row["runner"]) == (SUITE, backend.name, "trivium")
        several = row["metric"] in {"steady_epoch", "gflops", "gemm_share", "copy_share", "throughput"}
        assert row["n"] == (results["rounds"] if several else 1)
        assert row["q1"] <= row["median"] <= row["q3"]
        assert row["q1"] >= 0 or row["metric"] == "gap"
    assert results["rounds"] >= 8
    ceilings = results["machine"]["cpu"]
    assert set(ceilings) == {backend.name, "numpy"}


def test_a_suite_gives_the_ratio_of_the_medians_with_its_interval(measured):
    results, _ = measured
    steady = {row["recipe"]: row["median"] for row in results["rows"] if row["metric"] == "steady_epoch"}
    (ratio,) = results["ratios"]
    assert (ratio["of"], ratio["over"], ratio["metric"]) == ("cnn/pooling", "cnn/striding", "steady_epoch")
    # Of the rounds, not of the medians: near enough to them all the same.
    assert ratio["ratio"] == pytest.approx(steady["cnn/pooling"] / steady["cnn/striding"], rel=0.5)
    assert ratio["low"] <= ratio["ratio"] <= ratio["high"]


def result(of_pooling, failed=None):
    """Return the results of rounds with these timings."""
    cells = [TimedCell(recipe, "jax", recipe) for recipe in pooling_vs_striding.RECIPES]
    machine = environment.describe() | {"device": "cpu"}
    session = {"environment": machine, "plan": {"name": "steps"}, "compile": 1.5, "memory": 25e6}
    of_striding = [1.0, 1.01, 0.99, 1.02, 0.98, 1.0, 1.0, 1.0, 1.0]
    samples = {cell: seconds for cell, seconds in zip(cells, (of_pooling, of_striding), strict=True) if seconds}
    group = CellGroup("jax", cells, [tuple(cells)])
    lost = {cell: "it was killed" for cell in cells if cell not in samples}
    timings = group_result(SUITE, group, dict.fromkeys(cells, session), lost, InterleavedRounds(samples, "budget"))
    return Results(SUITE, groups={"jax": timings}, extra={"why": [], "load": {"busy": False}})


def measured_as(monkeypatch, results):
    """Let the suite return these results. Return the dictionary of arguments that it receives."""
    arguments = {}

    def measure(names, **settings):
        arguments.update(settings, names=names)
        return results

    monkeypatch.setattr(pooling_vs_striding, "measure", measure)
    return arguments


@pytest.mark.parametrize(
    ("of_pooling", "verdict"),
    [
        (
            [4.0, 4.04, 3.96, 4.08, 3.92, 4.0, 4.0, 4.0, 4.0],
            "jax        cnn/pooling costs 4.00 × cnn/striding [4.00, 4.00]",
        ),
        ([1.0, 0.9, 1.1, 1.0, 1.0, 0.9, 1.1, 1.0, 1.0], ": no difference"),
    ],
)
def test_a_suite_prints_a_table_and_a_verdict(cli, here, monkeypatch, of_pooling, verdict):
    arguments = measured_as(monkeypatch, result(of_pooling))
    limits = ["--budget", "2m", "--precision", "10%", "--threads", "1"]
    shown = cli("bench", SUITE, "--backends", "jax,torch", "--data", "waves:0", *limits)
    assert shown.code == 0
    benchmark_options = arguments.pop("options")
    assert (benchmark_options.budget, benchmark_options.precision, benchmark_options.threads) == (120, 0.1, 1)
    assert arguments == {"names": ["jax", "torch"], "data": "waves:0", "why": True, "quick": False}
    (line,) = (line for line in shown.out.splitlines() if "cnn/striding" in line and "costs" not in line)
    assert line.split() == ["jax", "cnn/striding", "1", "1", "–", "1", "1.5", "25"]
    assert verdict in shown.out
    assert "9 interleaved rounds, stopped by budget." in shown.out
    assert list(here.iterdir()) == [], "nothing is kept without --out"


def test_a_lost_cell_is_shown_and_the_exit_code_tells(cli, monkeypatch):
    measured_as(monkeypatch, result(None))
    shown = cli("bench", SUITE, "--no-why")
    assert shown.code == 1
    assert "FAILED cnn/pooling on jax: it was killed" in shown.out
    assert "cnn/striding" in shown.out, "the rest is reported"
    assert json.loads(cli("bench", SUITE, "--json").out)["failed"] == [
        {"cell": "cnn/pooling on jax", "why": "it was killed"}
    ]


def test_a_busy_machine_is_reported(cli, monkeypatch):
    results = result([4.0] * 9)
    results.extra["load"] = {"busy": True, "average": 1.5, "cores": 2}
    measured_as(monkeypatch, results)
    assert "The machine was busy before this began (load 1.50 on 2 cores)" in cli("bench", SUITE).out


def test_each_run_is_appended_to_a_history(cli, here, monkeypatch):
    measured_as(monkeypatch, result([4.0] * 9))
    for _ in range(2):
        shown = cli("bench", SUITE, "--history", "past")
        assert shown.code == 0, shown
    assert "kept past/history.jsonl" in shown.out
    entries = [json.loads(line) for line in (here / "past" / "history.jsonl").read_text().splitlines()]
    assert [entry["rows"] for entry in entries] == [result([4.0] * 9).to_json()["rows"]] * 2
    (here / "other.jsonl").write_text("{}")
    assert cli("bench", SUITE, "--history", "other.jsonl").code == 2


def test_a_slow_down_against_a_baseline_is_exit_code_1(cli, here, monkeypatch):
    write_json(here / "old.json", result([2.0, 2.04, 1.96, 2.08, 1.92, 2.0, 2.0, 2.0, 2.0]).to_json())
    measured_as(monkeypatch, result([4.0] * 9))
    worse = cli("bench", SUITE, "--baseline", "old.json", "--fail-on", "1.5")
    assert worse.code == 1
    assert "slower: cnn/pooling on jax, trivium, steady_epoch: 4 s against 2 s before, 2.00 times" in worse.err
    assert "cnn/striding on jax, trivium" not in worse.err
    (line,) = (line for line in worse.out.splitlines() if "cnn/pooling" in line and " steady_epoch " in line)
    columns = ["cnn/pooling", "jax", "steady_epoch", "2 s", "4 s", "2.00 [2.00, 2.00]", "slower"]
    assert re.split(r"\s{2,}", line.strip()) == columns
    assert re.search(r"cnn/striding .* 1\.00 \[1\.00, 1\.00\] +no difference", worse.out)
    assert cli("bench", SUITE, "--baseline", "old.json", "--fail-on", "2.5").code == 0


def test_json_has_each_change_against_the_baseline(cli, here, monkeypatch):
    write_json(here / "old.json", result([2.0, 2.04, 1.96, 2.08, 1.92, 2.0, 2.0, 2.0, 2.0]).to_json())
    measured_as(monkeypatch, result([1.0] * 9))
    changes = json.loads(cli("bench", SUITE, "--baseline", "old.json", "--json").out)["changes"]
    (change,) = (each for each in changes if (each["recipe"], each["metric"]) == ("cnn/pooling", "steady_epoch"))
    figures = {name: change[name] for name in ("before", "after", "unit", "ratio", "verdict")}
    assert figures == {"before": 2.0, "after": 1.0, "unit": "s", "ratio": 0.5, "verdict": "faster"}


def test_quick_counts_after_what_is_typed_or_in_a_file(cli, here, monkeypatch):
    arguments = measured_as(monkeypatch, result([4.0] * 9))
    (here / "settings.yaml").write_text("precision: 7%")
    for typed, budget, precision in (([], 75, 0.05), (["--budget", "5s", "--config", "settings.yaml"], 5, 0.07)):
        assert cli("bench", SUITE, "--quick", *typed).code == 0
        assert arguments["quick"] is True
        assert (arguments["options"].budget, arguments["options"].precision) == (budget, precision)


def test_an_invalid_baseline_is_refused_before_anything_is_measured(refused, here):
    assert "nosuch.json cannot be read: No such file" in refused("bench", SUITE, "--baseline", "nosuch.json")
    (here / "list.json").write_text("[]")
    assert "no result of `trivium bench`" in refused("bench", SUITE, "--baseline", "list.json")


@pytest.mark.parametrize(
    "wrong",
    [
        *(("--precision", value) for value in ("0%", "150%", "much")),
        *(("--budget", value) for value in ("0", "soon", "-5m")),
    ],
)
def test_invalid_shares_and_durations_are_refused(refused, wrong):
    assert f"Invalid value for '{wrong[0]}'" in refused("bench", SUITE, *wrong)


def test_an_unavailable_backend_is_refused(refused, backend, others, not_installed):
    not_installed(*others)
    assert "unknown backend 'nosuch'" in refused("bench", SUITE, "--backends", f"{backend.name},nosuch")
    assert f"pip install 'trivium[{others[0]}]'" in refused("bench", SUITE, "--backends", others[0])


def test_unreadable_data_are_refused_with_the_message_of_the_worker(refused, backend, shared_worker):
    for data, message in (
        ("nosuch.npz", "nosuch.npz: no such file"),
        ("waves:0", "waves:0: cnn/pooling cannot take this"),
    ):
        arguments = ["--no-why", "--backends", backend.name, "--data", data, *QUICK, "--out", "kept"]
        assert message in refused("bench", SUITE, *arguments, with_progress=True)


# --- the book -------------------------------------------------------------------------------------------------------


def test_an_unknown_suite_is_refused_with_the_known_ones(refused):
    line = refused("bench", "nosuch", "--out", "kept")
    assert line == "trivium: no suite 'nosuch': choose one of " + ", ".join(command.commands)


@pytest.mark.parametrize("suite", command.commands)
def test_every_suite_has_help_with_an_example_and_explains_its_options(cli, suite):
    shown = cli("bench", suite, "--help")
    assert shown.code == 0
    assert f"trivium bench {suite}" in shown.out.partition("Example:")[2].partition("Options:")[0]
    options = [option for option in command.commands[suite].params if isinstance(option, click.Option)]
    assert {"--json", "--debug"} <= {name for option in options for name in option.opts}
    assert all(option.help for option in options)


@pytest.mark.parametrize("suite", command.commands)
def test_a_suite_that_takes_data_takes_the_options_that_say_how_they_are_read(suite):
    names = {parameter.name for parameter in command.commands[suite].params}
    reading = {parameter.name for parameter in verify.params} & datasets.known_settings()
    assert {"target", "window", "size"} <= reading
    assert names & reading == (reading if "data" in names else set())


def test_a_table_is_measured_by_the_column_that_is_named(cli, here, backend, shared_worker):
    (here / "sales.csv").write_text("price,rooms,rent\n" + "".join(f"{n * n},{n},{n % 7}.5\n" for n in range(40)))
    arguments = ["--recipes", "tabular/mlp", "--data", "sales.csv", "--target", "price", "--test-share", "0.5"]
    shown = cli("bench", "book", *arguments, "--backends", backend.name, "--epochs", "1", "--json")
    (measured,) = json.loads(shown.out)["measured"]
    assert measured["dataset"] == "sales.csv:target=price:test_share=0.5"
    assert measured["samples"] == 20
    assert "add --data FILE" in cli("bench", "book", "--target", "price").err


@pytest.mark.parametrize("arguments", [["--json", "book"], ["book", "--json"]])
def test_json_may_stand_before_the_suite_or_after_it(cli, monkeypatch, arguments):
    monkeypatch.setattr(book, "measure", lambda *_, **__: book.BookResult([]))
    document = json.loads(cli("bench", *arguments).out)
    assert (document["schema"], document["rows"]) == (1, [])


def test_the_book_is_measured_and_kept(cli, here, backend, small_digits, shared_worker, tmp_path, monkeypatch):
    monkeypatch.setattr(book, "MEASURED", tmp_path / "measured.json")
    arguments = ["--recipes", "dense/small", "--backends", backend.name, "--data", small_digits, "--epochs", 2]
    shown = cli("bench", "book", *arguments, "--out", "kept", "--keep", "--json")
    assert shown.code == 0, shown.err
    document = json.loads(shown.out)
    assert document == json.loads((here / "kept/results.json").read_text())
    assert {row["metric"] for row in document["rows"]} == {
        "parameters",
        "steady_epoch",
        "val_accuracy",
        "best_val_accuracy",
    }
    assert all(list(row) == COLUMNS for row in document["rows"])
    (measured,) = document["measured"]
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
    received = {}

    def measure(chosen, backends, **settings):
        received.update(settings, recipes=chosen, backends=backends)
        return book.BookResult([book.Measurement(recipes.find("cnn/simple"), run)])

    monkeypatch.setattr(book, "measure", measure)
    shown = cli("bench", "book", "--recipes", "cnn,rnn/lstm", "--backends", "jax", "--epochs", "7")
    assert shown.code == 0
    assert received["recipes"] == ["cnn", "rnn/lstm"]
    assert (received["backends"], received["data"], received["epochs"]) == (["jax"], None, 7)
    (line,) = (line for line in shown.out.splitlines() if "cnn/simple" in line)
    ours, published = "val. accuracy 0.5 (at best 0.75) after 2 epochs", "val. accuracy 0.9862 after 100 epochs"
    assert " ".join(line.split()) == f"cnn/simple jax 251,722 {ours} {published} 2.5 66"
    assert list(here.iterdir()) == [], "nothing is kept without --out or --keep"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--recipes", "cnn,dense/smal"], "no recipe or family 'dense/smal'; did you mean 'dense/small'"),
        (["--backends", "nosuch"], "unknown backend 'nosuch'"),
        (["--epochs", "0"], "--epochs"),
    ],
)
def test_a_book_that_cannot_be_measured_is_refused(refused, arguments, message):
    assert message in refused("bench", "book", *arguments, "--out", "kept")


def test_data_that_do_not_go_with_a_recipe_are_refused(refused, backend, shared_worker):
    arguments = ["--recipes", "cnn/simple", "--backends", backend.name, "--data", "waves:0"]
    assert "cnn/simple cannot take this" in refused("bench", "book", *arguments, with_progress=True)


# --- the suites that say which backend to take, and what is read from a list -----------------------------------------


def test_epochs_recommends_a_backend_and_remembers_it(cli, here, monkeypatch, tmp_path):
    from trivium.benchmarks.recommend import recommended_backend
    from trivium.benchmarks.suites import epochs

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    cells = [TimedCell("my.py:build", name, name) for name in ("jax", "torch")]
    recommendation = {"environment": environment.describe() | {"device": "cpu"}, "plan": {}}
    samples = dict(zip(cells, ([1.0] * 8, [3.0] * 8), strict=True))
    timings = group_result(
        "epochs",
        CellGroup("g", cells, [tuple(cells)]),
        dict.fromkeys(cells, recommendation),
        {},
        InterleavedRounds(samples, "x"),
    )
    received = {}

    def measure(recipes, backends, **settings):
        received.update(settings, recipes=recipes, backends=backends)
        return Results("epochs", groups={"g": timings}, interleaved=False)

    monkeypatch.setattr(epochs, "measure", measure)
    arguments = ["--model", "my.py:build", "--data", "my.npz", "--devices", "cpu", "--recommend"]
    shown = cli("bench", "epochs", *arguments)
    assert shown.code == 0, shown.err
    assert (received["recipes"], received["data"], received["devices"]) == (["my.py:build"], "my.npz", ["cpu"])
    sentence = "my.py:build: take jax on the cpu, 1 s an epoch, 3.00 × as fast as torch [3.00, 3.00]"
    assert sentence in shown.out.splitlines()
    assert recommended_backend("my.py:build") == "jax"
    (recommendation,) = json.loads(cli("bench", "epochs", *arguments, "--json").out)["recommended"]
    assert (recommendation["backend"], recommendation["second"], recommendation["said"]) == ("jax", "torch", sentence)


def test_a_backend_that_nobody_recommended_is_refused_with_what_to_run(refused, monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    line = refused("train", "cnn/simple", "--backend", "auto")
    assert "run: trivium bench epochs --recipes cnn/simple --recommend" in line


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["batch-size", "--sizes", "8,x"], "--sizes 8,x: expected whole numbers above 0"),
        (["data-size", "--sizes", "0,8"], "--sizes 0,8: expected whole numbers above 0"),
        (["epochs", "--devices", "tpu"], "no device 'tpu': choose from cpu,gpu"),
        (["epochs", "--recipes", "rnn/lstmm"], "did you mean 'rnn/lstm'"),
    ],
)
def test_invalid_options_are_refused_before_a_worker_starts(refused, arguments, message):
    assert message in refused("bench", *arguments)
