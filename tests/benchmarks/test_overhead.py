"""The hand-written loops learn what Keras learns, and their suite writes results in the common schema."""

import dataclasses
import json

import numpy as np
import pytest

from trivium.backends import catalog
from trivium.benchmarks import native, real
from trivium.benchmarks.cells import CellGroup, TimedCell
from trivium.benchmarks.measure import InterleavedRounds
from trivium.benchmarks.results import Results, group_result
from trivium.benchmarks.suite import BenchmarkOptions
from trivium.benchmarks.suites import overhead
from trivium.data import datasets
from trivium.engine.training.trainer import Trainer
from trivium.errors import OptionError, RecipeError
from trivium.models.recipe import registry

SETTINGS = {
    "dense/one-hidden": {"batch_size": 64, "options": {"units": 16}},
    "cnn/pooling": {"batch_size": 64, "options": {"dropout": 0.0}},
    "cnn/striding": {"batch_size": 64, "options": {"dropout": 0.0}},
    "rnn/lstm": {"batch_size": 8},
    "rnn/three-lstm": {"batch_size": 8},
    "text/letters": {"batch_size": 50, "options": {"window": 8, "units": 8}},
}


@pytest.fixture
def data(digits, tmp_path):
    text = tmp_path / "letters.txt"
    text.write_text("the rain in spain stays mainly in the plain " * 12)
    return {
        "dense": digits,
        "cnn": digits,
        "rnn": datasets.load("waves:0:60"),
        "text": datasets.load(f"text:{text}"),
    }


def task_for(recipe, data, **settings):
    """A trainer, its compiled model, its training data, and the same as a native task."""
    from trivium.benchmarks.epoch_session import task_of

    trainer = Trainer(recipe, **{**SETTINGS[recipe], **settings})
    model, training = trainer.make_ready(data[trainer.recipe.family])
    return trainer, model, training, task_of(trainer, model, training)


def test_every_native_recipe_is_tested():
    assert set(SETTINGS) == set(native.RECIPES)


def losses_by_fit(trainer, model, training, epochs):
    import keras

    losses = []
    record = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: losses.append(logs["loss"]))
    trainer.resolved = dataclasses.replace(trainer.resolved, plan="fit", epochs=epochs)
    trainer.run_epochs(model, training, None, [record])
    return losses


def losses_by_hand(backend, trainer, task, epochs, compiled=False):
    from trivium.engine.epochs.batches import sample_order

    loop = native.load(backend.name, task, compiled=compiled)
    return [loop.train_epoch(sample_order(trainer.resolved.seed, epoch, len(task.x), True)) for epoch in range(epochs)]


@pytest.mark.shared_out
@pytest.mark.parametrize("recipe", native.RECIPES)
def test_a_native_loop_learns_what_keras_learns(backend, data, recipe):
    trainer, model, training, task = task_for(recipe, data)
    losses = losses_by_hand(backend, trainer, task, 2)
    expected = losses_by_fit(trainer, model, training, 2)
    assert abs(losses[0] - losses[1]) > 1e-3, "it learns"
    assert losses[0] == pytest.approx(expected[0], abs=1e-4)
    # PyTorch's Adam adds its epsilon before the second moment is corrected, Keras' after: they part a little.
    assert losses[1] == pytest.approx(expected[1], rel=1e-3)


@pytest.mark.parametrize(
    "recipe",
    [pytest.param(recipe, marks=[] if recipe == "rnn/lstm" else pytest.mark.slow) for recipe in native.RECIPES],
)
def test_a_compiled_native_loop_learns_what_the_plain_one_learns(backend, data, recipe):
    trainer, *_, task = task_for(recipe, data)
    plain, compiled = (losses_by_hand(backend, trainer, task, 2, compiled=compiled) for compiled in (False, True))
    assert compiled == pytest.approx(plain, rel=1e-4)


@pytest.mark.shared_out
@pytest.mark.parametrize("recipe", ["cnn/pooling", "cnn/striding"])
def test_a_native_loop_keeps_its_kernels_within_the_norm_that_keras_keeps(backend, data, recipe):
    from trivium.benchmarks.epoch_session import task_of

    # Learning next to nothing, so that the loss moves by what the norm cuts off, and by nothing else.
    trainer, model, training, _ = task_for(recipe, data, learning_rate=1e-7)
    weights = model.get_weights()
    weights[0], weights[4] = weights[0] * 400, weights[4] / 40
    model.set_weights(weights)
    task = task_of(trainer, model, training)
    losses = losses_by_hand(backend, trainer, task, 2)
    assert abs(losses[0] - losses[1]) > 0.01
    assert losses == pytest.approx(losses_by_fit(trainer, model, training, 2), abs=1e-4)


@pytest.mark.shared_out
@pytest.mark.parametrize("recipe", ["cnn/pooling", "cnn/striding"])
def test_a_native_loop_applies_dropout(backend, data, recipe):
    _, _, training, task = task_for(recipe, data, options={"dropout": 0.9})
    dropped = native.load(backend.name, task).train_epoch(np.arange(len(training)))
    *_, task = task_for(recipe, data)
    assert abs(native.load(backend.name, task).train_epoch(np.arange(len(training))) - dropped) > 0.01


def test_a_recipe_without_a_native_loop_is_compared_with_fit_alone(backend, monkeypatch):
    groups = []
    monkeypatch.setattr(overhead, "compare", lambda suite, compared, *rest, **more: groups.extend(compared))
    overhead.measure(["all"], [backend.name])
    of = {group.cells[-1].recipe: [each.runner for each, _ in group.pairs] for group in groups}
    assert list(of) == list(registry())
    by_hand = {recipe for recipe, runners in of.items() if runners == [*overhead.OTHERS]}
    assert by_hand == set(native.RECIPES)
    assert all(of[recipe] == ["fit", "fit-tuned"] for recipe in set(of) - by_hand)
    overhead.measure(["real"], [backend.name], runners=["fit"])
    compared = groups[len(of) :]
    assert [group.cells[-1].recipe for group in compared] == list(real.NAMES)
    assert all([each.runner for each, _ in group.pairs] == ["fit"] for group in compared)


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


def test_the_native_rooms_are_the_backends():
    from pathlib import Path

    rooms = {path.stem for path in Path(native.__file__).parent.glob("*.py")} - {"__init__"}
    assert rooms == {backend.name for backend in catalog.BACKENDS if backend.trains}
