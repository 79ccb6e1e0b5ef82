"""`steps_per_epoch` of arrays: an epoch of so many batches goes on where the last stopped, on every backend alike."""

import numpy as np
import pytest

import trivium
from trivium.backends import catalog
from trivium.backends.workers import worker
from trivium.data import datasets
from trivium.data.dataset import Dataset, Split
from trivium.errors import OptionError

HERE = __file__
AUGMENT = {"rotation": 20, "shift": 0.1}


def few(count=300):
    full = datasets.load("mnist:sample")
    return Dataset("few", Split(full.train.x[:count], full.train.y[:count]), None, full.labels, "")


def train(**settings):
    """Train a small model; return its losses and weights."""
    settings = {"epochs": 3, "batch_size": 64, "validation_split": 0, "options": {"units": 8}, **settings}
    run = trivium.train("dense/small", few(), **settings)
    return run.history["loss"], run.model.get_weights()


@pytest.mark.plain
def test_each_pass_takes_each_sample_once_and_goes_on_in_the_next_epoch():
    from trivium.engine.epochs.batches import from_memory, sample_order

    split = Split(np.arange(10), np.arange(10))
    for steps in (1, 3, 7):
        fetch = from_memory(split, 4, 5, True, steps)
        batches = [fetch(epoch, place)[0] for epoch in range(4) for place in range(steps)]
        taken = np.concatenate(batches)
        assert {len(batch) for batch in batches} == {4}
        for each in range(len(taken) // 10):
            np.testing.assert_array_equal(taken[each * 10 : each * 10 + 10], sample_order(5, each, 10, True))


def test_epochs_of_whole_passes_are_those_without_the_option(backend):
    plain, plain_weights = train(batch_size=50)
    counted, weights = train(batch_size=50, steps_per_epoch=6)
    np.testing.assert_allclose(counted, plain, rtol=1e-5)
    for own, other in zip(weights, plain_weights, strict=True):
        np.testing.assert_allclose(own, other, atol=1e-5)


@pytest.mark.parametrize("augment", [None, AUGMENT])
def test_short_and_long_epochs_take_as_many_steps_as_they_say(backend, augment):
    _, short = train(steps_per_epoch=3, epochs=4, augment=augment)
    _, long = train(steps_per_epoch=12, epochs=1, augment=augment)
    assert [np.allclose(own, other, atol=1e-4) for own, other in zip(short, long, strict=True)] == [
        augment is None  # the changes of a picture follow from the epoch and the place in it
    ] * len(short)
    run = trivium.train("dense/small", few(), epochs=2, batch_size=64, steps_per_epoch=11, augment=augment)
    assert int(run.model.optimizer.iterations) == 22
    assert run.settings["steps_per_epoch"] == 11


@pytest.mark.one_environment
@pytest.mark.parametrize("augment", [None, AUGMENT])
def test_fit_takes_the_same_batches_as_a_plan(backend, augment):
    by_plan, by_fit = (train(steps_per_epoch=7, augment=augment, plan=plan)[0] for plan in ("auto", "fit"))
    np.testing.assert_allclose(by_plan, by_fit, rtol=1e-4)


@pytest.mark.one_environment
@pytest.mark.parametrize("augment", [None, AUGMENT])
def test_a_resumed_run_goes_on_with_the_batch_after_the_last(backend, augment, tmp_path):
    settings = {"batch_size": 64, "steps_per_epoch": 7, "options": {"units": 8}, "augment": augment}
    whole = trivium.train("dense/small", few(), epochs=4, out=tmp_path / "whole", **settings)
    trivium.train("dense/small", few(), epochs=2, out=tmp_path / "part", **settings)
    resumed = trivium.train("dense/small", few(), epochs=4, out=tmp_path / "part", resume=True, **settings)
    assert resumed.history == whole.history
    for own, other in zip(resumed.model.get_weights(), whole.model.get_weights(), strict=True):
        np.testing.assert_array_equal(own, other)


@pytest.mark.one_environment
def test_drawn_data_and_windows_of_series_have_epochs_of_so_many_steps(backend):
    run = trivium.train("rnn/lstm", "waves:0:60", epochs=2, batch_size=8, steps_per_epoch=3)
    assert int(run.model.optimizer.iterations) == 6
    run = trivium.train("cnn/shapes", epochs=1, batch_size=16, steps_per_epoch=3, options={"filters": 2})
    assert int(run.model.optimizer.iterations) == 3


@pytest.mark.one_environment
def test_states_that_are_carried_through_all_data_are_refused(backend):
    with pytest.raises(OptionError, match="`steps_per_epoch`: the model keeps states from batch to batch"):
        trivium.train("rnn/stateful", "waves:0:30", epochs=1, steps_per_epoch=3)


@pytest.mark.several_backends
def test_the_epochs_are_the_same_on_every_backend():
    first, *others = [
        worker.get(each.name).call(f"{HERE}:train", steps_per_epoch=7, augment=AUGMENT)[0]
        for each in catalog.trainers()
    ]
    for other in others:
        np.testing.assert_allclose(other, first, rtol=1e-4)
