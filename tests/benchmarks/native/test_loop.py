"""The hand-written loops learn what Keras learns, and the frameworks' folders mirror each other."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from trivium.backends import catalog
from trivium.benchmarks import native, real
from trivium.data import datasets
from trivium.engine.training.trainer import Trainer
from trivium.errors import OptionError

BOOK = {
    "dense/one-hidden": {"batch_size": 64, "options": {"units": 16}},
    "cnn/pooling": {"batch_size": 64, "options": {"dropout": 0.0}},
    "cnn/striding": {"batch_size": 64, "options": {"dropout": 0.0}},
    "rnn/lstm": {"batch_size": 8},
    "rnn/three-lstm": {"batch_size": 8},
    "text/letters": {"batch_size": 50, "options": {"window": 8, "units": 8}},
}
# Small ones; full batches of the larger ones only, so that one step is compiled.
REAL = {
    "real/mlp": {"batch_size": 64, "options": {"units": 16, "dropout": 0.0}},
    "real/gru-forecaster": {"batch_size": 16, "options": {"units": 4}},
    "real/small-transformer": {"batch_size": 16, "options": {"width": 8, "blocks": 1, "dropout": 0.0}},
    "real/resnet20": {"batch_size": 16, "options": {"filters": (4, 8), "blocks": 1}},
    "real/unet-small": {"batch_size": 8, "options": {"filters": (2, 4)}},
    "real/bert-mini": {"batch_size": 8, "options": {"width": 8, "blocks": 1, "dropout": 0.0}},
}
SETTINGS = BOOK | REAL
# Compiled within seconds under every framework.
QUICKLY_COMPILED = ("rnn/lstm", "real/gru-forecaster")
SAMPLES = {"real/mlp": 150, "real/unet-small": 16, "real/bert-mini": 16}


@pytest.fixture
def data(digits, tmp_path):
    """Return a function that returns the data of a recipe."""
    text = tmp_path / "letters.txt"
    text.write_text("the rain in spain stays mainly in the plain " * 12)

    def of(recipe):
        if recipe in real.NAMES:
            whole = real.dataset_of(recipe)
            return dataclasses.replace(whole, train=whole.train.select(slice(0, SAMPLES.get(recipe, 32))))
        series = {"rnn": "waves:0:60", "text": f"text:{text}"}
        family = recipe.partition("/")[0]
        return datasets.load(series[family]) if family in series else digits

    return of


def task_for(recipe, data, **settings):
    """A trainer, its compiled model, its training data, and the same as a native task."""
    from trivium.benchmarks.epoch_session import task_of

    known = real.recipe_of(recipe) if recipe in real.NAMES else recipe
    trainer = Trainer(known, **{**SETTINGS[recipe], **settings})
    model, training = trainer.make_ready(data(recipe))
    return trainer, model, training, task_of(trainer, model, training)


def losses_by_fit(trainer, model, training, epochs):
    import keras

    losses = []
    record = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: losses.append(logs["loss"]))
    trainer.resolved = dataclasses.replace(trainer.resolved, plan="fit", epochs=epochs)
    trainer.run_epochs(model, training, None, [record])
    return losses


def losses_by_hand(loop, trainer, task, epochs):
    from trivium.engine.epochs.batches import sample_order

    return [loop.train_epoch(sample_order(trainer.resolved.seed, epoch, len(task), True)) for epoch in range(epochs)]


def assert_moved_alike(received, expected, initial, share):
    """Arrays that were trained differ by at most this share of what the training changed."""
    assert [array.shape for array in received] == [array.shape for array in expected]
    moved = max((np.abs(array - before).max() for array, before in zip(expected, initial, strict=True)), default=0)
    for number, (array, wanted) in enumerate(zip(received, expected, strict=True)):
        np.testing.assert_allclose(array, wanted, rtol=0, atol=share * moved, err_msg=f"weight {number}")


def assert_learns_what_keras_learns(backend, recipe, data, epochs, **settings):
    trainer, model, training, task = task_for(recipe, data, **settings)
    loop = native.load(backend.name, task)
    losses = losses_by_hand(loop, trainer, task, epochs)
    expected = losses_by_fit(trainer, model, training, epochs)
    assert losses == pytest.approx(expected, rel=2e-4)
    # Where a gradient is nearly zero, Adam's step follows its rounding.
    trainable, statistics = (
        [variable.numpy() for variable in variables]
        for variables in (model.trainable_variables, model.non_trainable_weights)
    )
    assert_moved_alike(loop.weights(), trainable, task.weights, 0.05)
    assert_moved_alike(loop.statistics(), statistics, task.statistics, 1e-3)
    return losses


def test_every_native_recipe_is_tested():
    assert set(SETTINGS) == set(native.RECIPES)


@pytest.mark.shared_out
@pytest.mark.parametrize("recipe", native.RECIPES)
def test_a_native_loop_learns_what_keras_learns(backend, data, recipe):
    losses = assert_learns_what_keras_learns(backend, recipe, data, 2)
    assert abs(losses[0] - losses[1]) > 1e-3, "it learns"


@pytest.mark.slow
@pytest.mark.parametrize("recipe", real.NAMES)
def test_a_native_loop_of_a_real_model_learns_at_full_size_what_keras_learns(backend, data, recipe):
    options = {"dropout": 0.0} if "dropout" in real.recipe_of(recipe).options else {}
    assert_learns_what_keras_learns(backend, recipe, data, 1, options=options)


@pytest.mark.parametrize(
    "recipe",
    [pytest.param(recipe, marks=[] if recipe in QUICKLY_COMPILED else pytest.mark.slow) for recipe in native.RECIPES],
)
def test_a_compiled_native_loop_learns_what_the_plain_one_learns(backend, data, recipe):
    trainer, *_, task = task_for(recipe, data)
    plain, compiled = (native.load(backend.name, task, compiled=compiled) for compiled in (False, True))
    expected = losses_by_hand(plain, trainer, task, 2)
    assert losses_by_hand(compiled, trainer, task, 2) == pytest.approx(expected, rel=1e-4)
    assert_moved_alike(compiled.weights(), plain.weights(), task.weights, 0.05)
    assert_moved_alike(compiled.statistics(), plain.statistics(), task.statistics, 1e-3)


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
    losses = losses_by_hand(native.load(backend.name, task), trainer, task, 2)
    assert abs(losses[0] - losses[1]) > 0.01
    assert losses == pytest.approx(losses_by_fit(trainer, model, training, 2), abs=1e-4)


@pytest.mark.shared_out
@pytest.mark.parametrize("recipe", ["cnn/pooling", "cnn/striding", "real/mlp", "real/small-transformer"])
def test_a_native_loop_applies_dropout(backend, data, recipe):
    *_, task = task_for(recipe, data)
    rates = (0.0, 0.9)
    tasks = [dataclasses.replace(task, options={**task.options, "dropout": rate}) for rate in rates]
    losses = [native.load(backend.name, each).train_epoch(np.arange(len(task))) for each in tasks]
    assert abs(losses[0] - losses[1]) > 0.01


def test_a_recipe_without_a_native_loop_is_refused():
    with pytest.raises(OptionError, match=r"cnn/bigger has no native loop \(there are: dense/one-hidden, "):
        native.NativeTask("cnn/bigger", [], [], np.zeros(1), np.zeros(1), "mean_squared_error", 1, "adam", 0.1)


def test_the_native_rooms_are_the_backends_and_mirror_each_other():
    folder = Path(native.__file__).parent
    rooms = {path.name: {module.stem for module in path.glob("*.py")} for path in folder.iterdir() if path.is_dir()}
    rooms.pop("__pycache__", None)
    assert set(rooms) == {backend.name for backend in catalog.BACKENDS if backend.trains}
    shared = {"__init__", "fit_settings", "own_step", "loop", "layers", "losses", "optimizers", "models"}
    assert all(modules >= shared | {"tables", "pictures", "sequences"} for modules in rooms.values())
