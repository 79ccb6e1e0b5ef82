"""Where a loss that is NaN or infinite came from: which step, and which layer was the first to give such values.

The run has gone past it by the time it is seen. So what the model was before is put back, and the steps since then are
trained once more, one by one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import keras
import numpy as np

from ...backends import runtime
from ...errors import DivergedError
from ..data.dataset import Split
from .batches import Batch, Batches, Schedule, steps_of, stored

# An epoch, a step in it, both from 0, and its batch.
Step = tuple[int, int, Batch]


def is_finite(logs: dict[str, float]) -> bool:
    """Whether the loss of these metrics is a number that training can go on from."""
    return math.isfinite(logs.get("loss", 0.0))


def explain(model: keras.Model, put_back: Callable[[], None], steps: Iterable[Step], epoch: int) -> DivergedError:
    """The error that says where the loss stopped being finite.

    Args:
        model: compiled; it is left as it was before the step that went wrong.
        put_back: makes the model what it was before the first of the steps.
        steps: those that were trained since.
        epoch: in which it was seen, from 0, in case it does not happen again.
    """
    put_back()
    model.reset_metrics()
    for number, step, batch in steps:
        before = runtime.remember(runtime.variables_of(model))
        found = model.train_on_batch(*batch, return_dict=True)
        if not is_finite({"loss": float(found["loss"])}):
            before()
            return _error(float(found["loss"]), number, f", step {step + 1}: {_origin(model, batch[0])}")
    put_back()
    return _error(math.nan, epoch, "; in which step cannot be told, because a second time it did not happen")


def steps_from(data: Split | Batches, schedule: Schedule, first: int) -> Iterator[Step]:
    """The steps of a run from the beginning of an epoch on, to its end."""
    size = schedule.batch_size
    split = data if isinstance(data, Split) else None
    fetch = stored(split, size, schedule.seed, schedule.shuffle) if split else None
    for epoch in range(first, schedule.epochs):
        for step in range(steps_of(len(split), size) if split else len(data)):
            if isinstance(data, Batches):
                data.epoch = epoch
                yield epoch, step, data[step]
            elif fetch:
                yield epoch, step, fetch(epoch, step)


def _error(loss: float, epoch: int, where: str) -> DivergedError:
    return DivergedError(
        f"the loss became {loss} in epoch {epoch + 1}{where}; try a lower --learning-rate, or look at the data there"
    )


def _origin(model: keras.Model, x: np.ndarray) -> str:
    """What was the first to be NaN or infinite, as words."""
    if not np.isfinite(x).all():
        return "its inputs are not finite"
    for layer in model.layers:
        for variable in layer.variables:
            if not _finite(variable):
                return f"the step before it made {layer.name} ({type(layer).__name__}) not finite, in {variable.name}"
    for layer, output in _outputs(model, x):
        if not all(_finite(each) for each in keras.tree.flatten(output)):
            return f"{layer.name} ({type(layer).__name__}) is the first layer whose output is not finite"
    return "every layer's output is finite, its loss is not"


def _outputs(model: keras.Model, x: np.ndarray) -> list[tuple[keras.layers.Layer, Any]]:
    """Each layer's output in training, as far as the model is a graph of layers."""
    try:
        layers = [layer for layer in model.layers if not isinstance(layer, keras.layers.InputLayer)]
        probe = keras.Model(model.inputs, [layer.output for layer in layers])
    except (AttributeError, ValueError):  # a class with a `call` of its own, or layers that are called twice
        return []
    return list(zip(layers, keras.tree.flatten(probe([x], training=True)), strict=False))


def _finite(value: Any) -> bool:
    found = keras.ops.convert_to_numpy(value)
    return found.dtype.kind != "f" or bool(np.isfinite(found).all())
