"""Functions that the tests on a GPU call in a worker."""

import gc

from trivium.backends import runtime
from trivium.data import datasets
from trivium.data.dataset import Dataset, Split
from trivium.engine.training.train import train
from trivium.engine.training.trainer import Trainer
from trivium.storage.memory import memory_peak


def kinds():
    return [device.kind for device in runtime.current().devices()]


def few(name, samples):
    """Return the first samples of a dataset."""
    full = datasets.load(name)
    return Dataset(name, Split(full.train.x[:samples], full.train.y[:samples]), None, full.labels, full.source)


def trained(recipe, data, **settings):
    """Train; return the history by metric, the weights, the plan, and the kind of the default device."""
    run = Trainer(recipe, validation_split=0.0, **settings).fit(few(*data))
    history = {name: run.history[name] for name in run.history.metrics}
    return {"history": history, "weights": run.model.get_weights(), "plan": run.settings["plan"], "device": kinds()[0]}


def plans(recipe, data, **settings):
    """Return the names of all plans for the epochs of a recipe."""
    model = Trainer(recipe, validation_split=0.0, **{**settings, "epochs": 1}).fit(few(*data)).model
    return [plan.name for plan in runtime.current().plans(model, 1)]


def memory_after(recipe, data, epochs, **settings):
    """Train; return the peak of the device's memory, or of this process' where that is the CPU's."""
    trained(recipe, data, epochs=epochs, **settings)
    gc.collect()
    return runtime.current().device_memory_peak() or memory_peak()


def resumed(recipe, folder, epochs, **settings):
    """Train in one go and in two; return the weights of both."""
    whole = train(recipe, out=f"{folder}/whole", epochs=epochs, deterministic=True, **settings)
    for so_far in (epochs // 2, epochs):
        halves = train(
            recipe,
            out=f"{folder}/halves",
            resume=so_far == epochs,
            epochs=so_far,
            deterministic=True,
            checkpoints=[{"every": 1}],
            **settings,
        )
    return [run.model.get_weights() for run in (whole, halves)]
