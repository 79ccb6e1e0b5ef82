"""Fine-tuning: frozen layers keep their weights bit by bit, and a bundle never decides which code runs."""

import dataclasses

import numpy as np
import pytest

from trivium.data.dataset import Dataset, Split
from trivium.data.from_arrays import dataset_from_arrays
from trivium.engine.bundles import bundle as bundles
from trivium.engine.bundles.bundle import Bundle
from trivium.engine.training.trainer import Trainer
from trivium.errors import OptionError
from trivium.models.recipe import recipe_of


@pytest.fixture(scope="module")
def trained(striding_run):
    return Bundle.of(striding_run)


@pytest.fixture
def two_kinds(digits):
    """The digits with two labels: even and odd."""
    parts = [Split(split.x, split.y % 2) for split in (digits.train, digits.test)]
    return Dataset("parity", *parts, ("even", "odd"), digits.source)


def weights(model):
    return {layer.name: layer.get_weights() for layer in model.layers if layer.weights}


def same(before, after):
    return all(np.array_equal(one, other) for one, other in zip(before, after, strict=True))


def test_frozen_layers_keep_their_weights_bit_by_bit_and_the_others_move(trained, digits):
    run = Trainer(start=trained, freeze=["conv*"], learning_rate=1e-4, epochs=1).fit(digits)
    before, after = weights(trained.model), weights(run.model)
    for name in before:
        assert same(before[name], after[name]) == name.startswith("conv"), name


def test_fine_tuning_starts_with_the_weights_of_the_bundle(trained, digits, striding_run):
    run = Trainer(start=trained, learning_rate=1e-4, epochs=1).fit(digits)
    assert run.recipe.name == "cnn/striding"
    assert run.history["val_loss"][0] < striding_run.history["val_loss"][0]


def test_fine_tuning_does_not_change_the_bundle(trained, digits):
    before = weights(trained.model)
    Trainer(start=trained, epochs=1).fit(digits)
    assert all(same(values, weights(trained.model)[name]) for name, values in before.items())


def test_the_inputs_keep_the_preprocessing_of_the_bundle(backend, lstm_run):
    start = Bundle.of(lstm_run)
    other = np.linspace(100.0, 200.0, 80)
    preprocessing, _, _ = Trainer(start=start, validation_split=0).prepare(
        Dataset("other", Split(other, other), None, (), "")
    )
    assert preprocessing.inputs == lstm_run.preprocessing.inputs


def test_a_new_head_learns_other_classes_on_the_same_features(trained, two_kinds, tmp_path):
    run = Trainer(start=trained, freeze=["conv*"], replace_head=2, epochs=3, learning_rate=0.003).fit(two_kinds)
    assert run.model.output_shape == (None, 2)
    assert run.history["loss"][-1] < run.history["loss"][0]
    before, after = weights(trained.model), weights(run.model)
    assert all(same(before[name], after[name]) for name in before if name.startswith("conv"))
    Bundle.of(run).save(tmp_path / "two.trivium")
    again = bundles.load(tmp_path / "two.trivium")
    assert again.labels == ("even", "odd")
    assert again.run["settings"]["start"]["replace_head"] == 2
    assert Trainer(start=again, epochs=1).recipe.loss == "categorical_crossentropy"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"freeze": ["dense*", "nothing*"]}, r"`freeze` nothing\*: no layer has such a name \(there are: conv2d"),
        ({"unfreeze": ["nothing*"]}, r"`unfreeze` nothing\*: no layer has such a name"),
        ({"freeze": ["*"]}, "every weight is frozen, there is nothing left to train"),
        ({"replace_head": 1}, "`replace_head` needs 2 classes or more, received 1"),
    ],
)
def test_invalid_settings_are_refused_in_one_line(trained, digits, settings, message):
    with pytest.raises(OptionError, match=message):
        Trainer(start=trained, epochs=1, **settings).fit(digits)


def test_another_recipe_than_that_of_the_bundle_is_refused(trained):
    with pytest.raises(OptionError, match="the bundle holds cnn/striding, not cnn/pooling"):
        Trainer("cnn/pooling", start=trained)


def stem_and_head(inputs, outputs, compiled=False):
    import keras

    dense = keras.layers.Dense
    stem = keras.Sequential([keras.Input((inputs,)), dense(3, name="in"), dense(3, name="out")], name="stem")
    model = keras.Sequential([keras.Input((inputs,)), stem, dense(outputs, name="head")])
    stem.layers[0].trainable = False
    if compiled:
        model.compile("sgd", "mse")
    return model


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize(
    ("settings", "frozen"),
    [
        ({}, ["stem/in"]),
        ({"freeze": "stem"}, ["stem"]),
        ({"unfreeze": ["stem"]}, []),
        ({"freeze": ["*"], "unfreeze": ["head"]}, ["stem"]),
    ],
)
def test_frozen_layers_are_listed_with_or_without_a_model_to_start_from(backend, compiled, settings, frozen):
    x = np.linspace(-1, 1, 40).reshape(20, 2)
    run = Trainer(recipe_of(stem_and_head), {"compiled": compiled}, epochs=1, **settings).fit(
        dataset_from_arrays((x, x[:, :1]))
    )
    assert run.to_json()["compiled"]["frozen"] == frozen
    assert run.notes[-1:] == [f"not trained, but frozen: {name}" for name in frozen]


def test_a_new_head_needs_a_model_to_start_from():
    with pytest.raises(OptionError, match="`replace_head` needs a trained model to start from: add `start` BUNDLE"):
        Trainer("cnn/striding", replace_head=3)


def test_a_bundle_does_not_decide_which_file_runs(trained, tmp_path):
    path = tmp_path / "own.py"
    path.write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\n")
    foreign = dataclasses.replace(trained, run={**trained.run, "recipe": f"{path}:build"})
    with pytest.raises(OptionError, match="which is no registered recipe: name it before `start`"):
        Trainer(start=foreign)
    assert not (tmp_path / "ran").exists()
