"""Trains a model to a target, in a worker.

The validation samples are the same for every seed, so that each seed has the same task; `trivium train` would choose
them by the seed.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ...backends import catalog, runtime
from ...backends.workers import worker
from ...data import datasets
from ...data.dataset import Dataset
from ...engine.epochs import environment
from ...engine.training.hold_out import LAST, TIME
from ...engine.training.options import DEFAULT_SEED
from ...engine.training.trainer import Trainer
from ...errors import DivergedError, OptionError
from ...storage.energy_counters import EnergyMeter
from .. import epoch_session, machine
from .seed_run import SeedRun, compile_seconds
from .target import Target


def examine(recipe: str, data: str | None, device: str | None, target: Mapping[str, Any]) -> dict[str, Any]:
    """Check that a model can be trained to a target here; train a tiny model, so that the framework is loaded.

    Args:
        target: the fields of a `Target`.

    Returns:
        The `environment`, the `mode` of the target, and the `epochs` and `batch_size` of the recipe.

    Raises:
        BackendError: the backend has no such device here.
        OptionError: there is no validation part, or the model is not compiled with the metric.
        RecipeError, DataError: a recipe or data that cannot be used.
    """
    from ...engine.keras_model.metric_directions import metric_directions

    epoch_session.warm_up()
    epoch_session.require_device(device)
    trainer = Trainer(recipe)
    dataset = _dataset(trainer, data)
    model, training = trainer.make_ready(dataset)
    resolved = Target(**target).resolved(metric_directions(model, training.y))
    return {
        "environment": {**environment.describe(), **machine.describe()},
        "mode": resolved.mode,
        "epochs": trainer.epochs,
        "batch_size": trainer.batch_size,
    }


def train(
    recipe: str, data: str | None, target: Mapping[str, Any], seed: int, epochs: int, batch_size: int | None
) -> dict[str, Any]:
    """Train to a target, and return the JSON of the `SeedRun`.

    A training that diverges has not reached it.

    Args:
        target: the fields of a resolved `Target`.
        epochs: at most so many.
    """
    from ...engine.epochs.callbacks import RequireMonitors
    from .target_watch import TargetWatch

    aim = Target(**target)
    watch = TargetWatch(aim, runtime.current(), EnergyMeter())
    trainer = Trainer(
        recipe,
        seed=seed,
        epochs=epochs,
        batch_size=batch_size,
        callbacks=[RequireMonitors({"`metric`": aim.metric}), watch],
        listener=lambda event: worker.report(**event),
    )
    dataset = _dataset(trainer, data)
    prepared = trainer.prepare(dataset)
    prepared_at = time.perf_counter()
    try:
        trainer.fit(dataset, prepared)
    except DivergedError:
        if watch.began is None:
            raise
    assert watch.began is not None
    return _seed_run(aim, watch, seed, watch.began - prepared_at).to_json()


def _seed_run(target: Target, watch: Any, seed: int, initialization: float) -> SeedRun:
    """Return the record of the training that was watched."""
    epochs = watch.reached_at or len(watch.values)
    seconds = watch.epoch_ends[epochs - 1] if epochs else time.perf_counter() - watch.began
    joules, device = watch.joules[:epochs], runtime.current().devices()[0].kind
    is_measured = epochs and device == "cpu" and None not in joules  # the packages do not tell of an accelerator
    return SeedRun(
        catalog.selected().name,
        device,
        seed,
        watch.reached_at is not None,
        epochs,
        seconds,
        compile_seconds(watch.epoch_ends),
        initialization,
        sum(joules) if is_measured else None,
        target.best_of(watch.values[:epochs]),
    )


def _dataset(trainer: Trainer, data: str | None) -> Dataset:
    """Return the data without a test part, with the same validation part for every seed.

    Raises:
        OptionError: nothing is held out for validation.
        DataError: the data cannot be read, or are a stream.
    """
    dataset = trainer.load(data or datasets.portable_name(trainer.recipe.dataset))
    dataset.require_arrays("a target")
    dataset = replace(dataset, test=None)
    if dataset.validation:
        return dataset
    held_out = replace(trainer.resolved.preparation.held_out, seed=DEFAULT_SEED)
    if not held_out.share:
        raise OptionError(
            f"{trainer.recipe.name} holds nothing out of {dataset.name} for validation, and a target is one of the "
            "validation: give data that have a validation part (x_val, y_val)"
        )
    if held_out.resolved_mode(dataset) in (LAST, TIME):  # the seed does not choose
        return dataset
    training, validation = held_out.parts(dataset)
    return replace(dataset, train=dataset.train.select(training), validation=dataset.train.select(validation))
