"""The suite of Keras' overhead: which runners it compares, and that its results have the common schema."""

import json

import pytest

from trivium.benchmarks import native, real
from trivium.benchmarks.cells import CellGroup, TimedCell
from trivium.benchmarks.measure import InterleavedRounds
from trivium.benchmarks.results import Results, group_result
from trivium.benchmarks.suite import BenchmarkOptions
from trivium.benchmarks.suites import overhead
from trivium.errors import OptionError, RecipeError
from trivium.models.recipe import registry


def test_a_recipe_without_a_native_loop_is_compared_with_fit_alone(backend, monkeypatch):
    groups = []
    monkeypatch.setattr(overhead, "compare", lambda suite, compared, *rest, **more: groups.extend(compared))
    overhead.measure(["all"], [backend.name])
    of = {group.cells[-1].recipe: [each.runner for each, _ in group.pairs] for group in groups}
    assert list(of) == list(registry())
    by_hand = {recipe for recipe, runners in of.items() if runners == [*overhead.OTHERS]}
    assert by_hand == set(native.BOOK)
    assert all(of[recipe] == ["fit", "fit-tuned"] for recipe in set(of) - by_hand)


def test_the_real_models_are_compared_with_every_runner(backend, monkeypatch):
    groups = []
    monkeypatch.setattr(overhead, "compare", lambda suite, compared, *rest, **more: groups.extend(compared))
    overhead.measure(["real"], [backend.name])
    assert [group.cells[-1].recipe for group in groups] == list(real.NAMES)
    assert all([each.runner for each, _ in group.pairs] == [*overhead.OTHERS] for group in groups)


def test_an_unknown_runner_is_refused(backend):
    with pytest.raises(OptionError, match="`runners`: 'fit-turned' is none of fit, fit-tuned"):
        overhead.measure(["rnn/lstm"], [backend.name], runners=["fit-turned"])


def test_an_unknown_recipe_is_refused(backend):
    with pytest.raises(RecipeError, match=r"unknown recipe 'rnn/lstn'.*rnn/lstm"):
        overhead.measure(["rnn/lstn"], [backend.name])


def test_the_suite_times_all_runners_in_the_same_rounds(backend, shared_worker):
    heard, runners = [], ("fit", "fit-tuned", "native")
    options = BenchmarkOptions(budget=0.1, precision=1.0, ceilings=False, listener=heard.append)
    result = overhead.measure(["rnn/lstm"], [backend.name], runners=runners, data="waves:0:20", options=options)
    report = json.loads(json.dumps(result.to_json(), allow_nan=False))
    steady = {row["runner"]: row for row in report["rows"] if row["metric"] == "steady_epoch"}
    assert set(steady) == {*runners, "trivium"}
    assert all(row["n"] >= 8 and row["median"] > 0 for row in steady.values())
    compared = [(ratio["of"], ratio["over"], ratio["recipe"]) for ratio in report["ratios"]]
    assert compared == [(runner, "trivium", "rnn/lstm") for runner in runners]
    for ratio in report["ratios"]:
        assert 0 < ratio["low"] <= ratio["ratio"] <= ratio["high"]
    assert report["environment"][backend.name]["backend"] == backend.name
    assert report["plans"]["rnn/lstm on " + backend.name] != "fit"
    assert "in a call" in report["plans"]["rnn/lstm by fit-tuned on " + backend.name]
    assert heard[-1]["done"] == heard[-1]["total"] == 1


def test_the_command_prints_a_table_of_each_ratio(monkeypatch, tmp_path):
    from click.testing import CliRunner

    from trivium.cli.bench import command

    info = {"environment": {"device": "cpu"}, "plan": {"name": "loop"}, "build": 1, "compile": 1, "first_epoch": 1}
    results = Results(overhead.SUITE, interleaved=False)
    for backend in ("jax", "torch"):
        *others, trivium = cells = [
            TimedCell("rnn/lstm", backend, name, name) for name in (*overhead.OTHERS, "trivium")
        ]
        samples = dict(zip(cells, ([6.0] * 9, [5.0] * 9, [3.0] * 9, [1.0] * 9, [2.0] * 9), strict=True))
        group = CellGroup(backend, cells, [(other, trivium) for other in others])
        results.groups[backend] = group_result(
            overhead.SUITE, group, dict.fromkeys(cells, info), {}, InterleavedRounds(samples, "precision")
        )
    received = {}

    def measure(recipes, backends, **settings):
        received.update(settings, recipes=recipes, backends=backends)
        return results

    monkeypatch.setattr(overhead, "measure", measure)
    arguments = ["overhead", "--recipes", "rnn/lstm", "--backends", "jax,torch", "--budget", "7", "--device", "cpu"]
    shown = CliRunner().invoke(command, [*arguments, "--out", str(tmp_path / "kept")])
    assert shown.exit_code == 0, shown.output
    options = received.pop("options")
    assert (options.budget, options.precision) == (7, 0.05)
    asked = {"recipes": ["rnn/lstm"], "backends": ["jax", "torch"], "runners": [], "data": None, "device": "cpu"}
    assert received == asked
    rows = [line.split() for line in shown.output.splitlines() if line.split()[:1] == ["rnn/lstm"]]
    for ratio, row in zip(("3.00", "2.50", "1.50", "0.50"), rows, strict=True):
        assert row == ["rnn/lstm", *[ratio, f"[{ratio},", f"{ratio}]"] * 2]
    assert "9 to 9 interleaved rounds; groups stopped: 2 by precision." in shown.output
    assert json.loads((tmp_path / "kept/results.json").read_text())["ratios"][0]["ratio"] == pytest.approx(3.0)
