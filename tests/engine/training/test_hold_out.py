"""Which samples are held out for validation."""

from dataclasses import replace

import numpy as np
import pytest

from trivium.data.dataset import Dataset, Split
from trivium.engine.training.hold_out import AUTO, LAST, SHUFFLED, STRATIFIED, HoldOut
from trivium.engine.training.trainer import Trainer
from trivium.errors import DataError, OptionError

pytestmark = pytest.mark.one_environment

SORTED = Dataset("sorted", Split(np.arange(80.0).reshape(40, 2), np.repeat([0, 1], 20)), None, ("a", "b"), "made")
VALUES = Dataset("values", Split(np.arange(80.0).reshape(40, 2), np.arange(40.0)), None, (), "made")
SERIES = Dataset("series", Split(np.arange(40.0), np.arange(40.0)), None, (), "made")


def held_out(mode, dataset, share=0.25, **settings):
    training, held = HoldOut(share, mode, 1, **settings).parts(dataset)
    numbers = np.arange(len(dataset.train))
    assert sorted([*numbers[training], *numbers[held]]) == numbers.tolist(), "each sample is in one part"
    return numbers[held]


def test_the_last_part_is_what_is_published():
    assert held_out(LAST, SORTED).tolist() == list(range(30, 40))
    assert held_out(LAST, SORTED, 0.0).tolist() == []


def test_classes_are_equally_frequent_in_a_stratified_part():
    samples = held_out(STRATIFIED, SORTED)
    assert np.bincount(SORTED.train.y[samples]).tolist() == [5, 5]
    assert samples.tolist() == sorted(samples), "the parts keep the order of the data"
    assert samples.tolist() == held_out(STRATIFIED, SORTED).tolist()


def test_a_shuffled_part_follows_the_seed():
    first, other = (HoldOut(0.25, SHUFFLED, seed).parts(VALUES)[1] for seed in (1, 2))
    assert len(first) == len(other) == 10
    assert first.tolist() != other.tolist()


@pytest.mark.parametrize(("dataset", "mode"), [(SORTED, STRATIFIED), (VALUES, SHUFFLED), (SERIES, LAST)])
def test_the_data_decide(dataset, mode):
    assert HoldOut(0.25, AUTO, 1).resolved_mode(dataset) == mode
    assert HoldOut(0.25, AUTO, 1, in_order=True).resolved_mode(dataset) == LAST


def test_a_class_of_one_sample_is_not_stratified():
    rare = replace(SORTED, train=Split(SORTED.train.x, np.array([0] * 39 + [1])))
    assert HoldOut(0.25, AUTO, 1).resolved_mode(rare) == SHUFFLED
    with pytest.raises(OptionError, match="`validation` stratified: sorted has too few samples of a class"):
        HoldOut(0.25, STRATIFIED, 1).resolved_mode(rare)


def test_what_cannot_be_is_refused():
    with pytest.raises(OptionError, match="`validation` stratified: values has no classes"):
        HoldOut(0.25, STRATIFIED, 1).resolved_mode(VALUES)
    with pytest.raises(OptionError, match="series is a series: only its last part can be held out"):
        HoldOut(0.25, SHUFFLED, 1).resolved_mode(SERIES)
    with pytest.raises(DataError, match="leaves nothing to train on"):
        HoldOut(0.999, LAST, 1).parts(VALUES)
    with pytest.raises(OptionError, match=r"validation must be one of auto, .*received 'startified'; did you mean"):
        Trainer("dense/small", validation="startified")


@pytest.mark.parametrize(
    ("mode", "labels", "remedy"),
    [(LAST, ("a", "b"), STRATIFIED), (LAST, (), SHUFFLED), (STRATIFIED, ("a", "b"), ""), (SHUFFLED, (), "")],
)
def test_a_division_names_a_mode_that_mixes_classes_better(mode, labels, remedy):
    division = HoldOut(0.25, mode, 1).division(replace(SORTED, labels=labels))
    assert division.remedy == remedy
    assert division.holds_out_last == (mode == LAST)
    assert len(np.arange(40)[division.validation]) == 10


def test_a_model_of_ones_own_is_validated_on_every_class(backend, tmp_path):
    (tmp_path / "mine.py").write_text(
        "import keras\n"
        "def build(inputs, classes):\n"
        "    return keras.Sequential([keras.Input((inputs,)), keras.layers.Dense(classes, 'softmax')])\n"
    )
    for recipe, mode in ((f"{tmp_path}/mine.py:build", "stratified"), ("dense/small", None)):
        events = []
        trainer = Trainer(recipe, epochs=1, listener=events.append)
        x = np.zeros((40, 28, 28), "uint8") if mode is None else SORTED.train.x
        dataset = replace(SORTED, train=Split(x, SORTED.train.y))
        assert trainer.fit(trainer.load(dataset)).settings.get("validation") == mode
        warnings = [event["text"] for event in events if event["kind"] == "warning"]
        assert warnings == trainer.warnings
        assert bool(warnings) == (mode is None)
