"""What a model answers, whatever batch it was built for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..backends import runtime
from ..errors import DataError
from . import axes

if TYPE_CHECKING:
    import keras


def outputs_of(model: keras.Model, x: np.ndarray) -> np.ndarray:
    """The model's outputs for prepared inputs, its recurrent states reset before.

    A model that was built for batches of one fixed size gets the last batch filled up, and what it says of the
    filling is dropped.

    Args:
        x: (n, …) prepared samples.

    Returns:
        (n, …) float.
    """
    reset_states(model)
    size = fixed_batch(model)
    filled = x if size is None else np.concatenate([x, np.repeat(x[-1:], -len(x) % size, axis=0)])
    with runtime.current().remembering(model):
        return np.asarray(model.predict(filled, batch_size=size, verbose=0))[: len(x)]


def probabilities(outputs: np.ndarray) -> np.ndarray:
    """A classifier's outputs as one probability a class: (n, 1) of "yes" becomes (n, 2) of "no" and "yes"."""
    return np.concatenate([1 - outputs, outputs], axis=-1) if outputs.shape[-1] == 1 else outputs


def fits(model: keras.Model, x: np.ndarray) -> bool:
    """Whether a model of one input takes prepared samples (n, …) of this shape."""
    return axes.fits(tuple(model.inputs[0].shape)[1:], x.shape[1:])


def fixed_batch(model: keras.Model) -> int | None:
    """The only batch size that the model takes, or None when it takes any."""
    size = model.inputs[0].shape[0]
    return None if size is None else int(size)


def reset_states(model: keras.Model) -> None:
    """Let stateful layers forget what they have seen."""
    for layer in runtime.stateful_layers(model):
        layer.reset_state()


def require_whole_batches(model: keras.Model, samples: int, what: str) -> None:
    """Raise a DataError when the model takes batches of one size only and the samples do not fill them."""
    size = fixed_batch(model)
    if size is not None and samples % size:
        fitting = next(candidate for candidate in range(size, 0, -1) if samples % candidate == 0)
        raise DataError(
            f"{what}: {samples} samples are no multiple of the {size} that the model takes at a time: "
            f"{samples % size} would be left over (--set batch={fitting} would fit)"
        )
