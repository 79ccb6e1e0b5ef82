"""Find the step and the layer at which a loss became NaN or infinite.

The run notices it some steps later. So the model is restored to an earlier snapshot, and the steps since then are
trained again, one by one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import keras
import numpy as np

from ...backends import runtime
from ...data.dataset import Split
from ...data.nests import Nest, arrays_of
from ...errors import DivergedError
from ..keras_model.interface import tensors_of
from .batches import Batch, Schedule, TrainingBatches, from_memory, steps_per_epoch

# The epoch, the step in it (both counted from 0), and the batch.
TrainingStep = tuple[int, int, Batch]


def is_finite(logs: dict[str, float]) -> bool:
    """Return whether the loss among these metrics is finite."""
    return math.isfinite(logs.get("loss", 0.0))


def explain(
    model: keras.Model, restore: Callable[[], None], steps: Iterable[TrainingStep], epoch: int
) -> DivergedError:
    """Train the steps again, and return the error that says where the loss stopped being finite.

    Args:
        model: compiled; it is left in its state before the faulty step.
        restore: restores the model to its state before the first of the steps.
        steps: the steps since that snapshot.
        epoch: the epoch, from 0, in which the loss was seen; reported if the loss stays finite this time.
    """
    restore()
    model.reset_metrics()
    for number, step, batch in steps:
        undo_step = runtime.snapshot(runtime.variables_of(model))
        logs = model.train_on_batch(*tensors_of(batch), return_dict=True)
        if not is_finite({"loss": float(logs["loss"])}):
            undo_step()
            return _error(float(logs["loss"]), number, f", step {step + 1}: {_origin(model, batch[0])}")
    restore()
    return _error(
        math.nan, epoch, "; the step is unknown, because the loss stayed finite when the epoch was trained again"
    )


def unexplained(epoch: int) -> DivergedError:
    """Return the error for batches that come once, so that no step of the epoch can be trained again."""
    return _error(math.nan, epoch, "; the step is unknown, because the batches of a stream are not read again")


def steps_from(data: Split | TrainingBatches, schedule: Schedule, first: int) -> Iterator[TrainingStep]:
    """Yield the steps of a run, from the beginning of epoch `first` to the end of the run."""
    size = schedule.batch_size
    split = data if isinstance(data, Split) else None
    fetch = from_memory(split, size, schedule.seed, schedule.shuffle) if split else None
    for epoch in range(first, schedule.epochs):
        for step in range(steps_per_epoch(len(split), size) if split else len(data)):
            if isinstance(data, TrainingBatches):
                data.epoch = epoch
                yield epoch, step, data[step]
            elif fetch:
                yield epoch, step, fetch(epoch, step)


def _error(loss: float, epoch: int, where: str) -> DivergedError:
    return DivergedError(
        f"the loss became {loss} in epoch {epoch + 1}{where}; try a lower `learning_rate`, or look at the data there"
    )


def _origin(model: keras.Model, x: Nest) -> str:
    """Describe the first value in the model that is NaN or infinite."""
    if not all(np.isfinite(array).all() for array in arrays_of(x)):
        return "its inputs are not finite"
    for layer in model.layers:
        for variable in layer.variables:
            if not _finite(variable):
                return f"the step before it made {layer.name} ({type(layer).__name__}) not finite, in {variable.name}"
    for layer, output in _outputs(model, x):
        if not all(_finite(value) for value in keras.tree.flatten(output)):
            return f"{layer.name} ({type(layer).__name__}) is the first layer whose output is not finite"
    return "every layer's output is finite, its loss is not"


def _outputs(model: keras.Model, x: Nest) -> list[tuple[keras.layers.Layer, Any]]:
    """Return the output of each layer in training mode; nothing if the model is not a graph of layers."""
    try:
        layers = [layer for layer in model.layers if not isinstance(layer, keras.layers.InputLayer)]
        probe = keras.Model(model.inputs, [layer.output for layer in layers])
    except (AttributeError, ValueError):  # a model with its own `call`, or layers that are called twice
        return []
    return list(zip(layers, keras.tree.flatten(probe(arrays_of(x), training=True)), strict=False))


def _finite(value: Any) -> bool:
    array = keras.ops.convert_to_numpy(value)
    return array.dtype.kind != "f" or bool(np.isfinite(array).all())
