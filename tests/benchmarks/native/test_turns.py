"""The hand-written loops of several networks learn what written losses teach."""

import functools

import pytest

import trivium
from trivium.backends import catalog
from trivium.benchmarks import native, paired_epochs, written_losses
from trivium.data.dataset import Dataset, Split
from trivium.engine.training.trainer import Trainer


@pytest.mark.parametrize("name", ["vae", "gan", "siamese", "student"])
def test_a_native_loop_learns_what_written_losses_teach(backend, name):
    from trivium.engine.epochs.batches import sample_order

    run = written_losses.runs(samples=64)[name]
    build = functools.partial(run.build, units=8, **({"noise": 0.0} if name == "vae" else {}))
    settings = {"epochs": 3, "batch_size": 16, "validation_split": 0.0, "seed": 5}
    trainer = Trainer(trivium.Recipe(name, "", build), **settings)
    model, _ = trainer.make_ready(Dataset(name, Split(run.x, run.y), None, (), "drawn"))
    loop = native.load_turns(catalog.selected().name, written_losses.task_of(name, run, model, 16, noise=0.0))
    trained = trivium.train(trivium.Recipe(name, "", build), (run.x, run.y), **settings)
    losses = [loop.train_epoch(sample_order(5, epoch, len(run.x), True)) for epoch in range(3)]
    assert losses == pytest.approx(trained.history["loss"], rel=1e-4)


@pytest.mark.one_environment
def test_the_ways_to_train_are_timed_by_turns(backend):
    order = []

    def way(name, seconds):
        order.append(name)
        return paired_epochs.TimedEpochs(name, seconds)

    pair = (lambda: way("slow", [9.0, 2.0, 2.0]), lambda: way("fast", [9.0, 1.0, 1.0]))
    (row,) = paired_epochs.compare({"both": pair}, 4)
    assert order == ["fast", "slow", "slow", "fast"] * 2
    assert (row["plans"], row["seconds"], row["ratio"]) == (["slow", "fast"], [2.0, 1.0], pytest.approx(2.0))
