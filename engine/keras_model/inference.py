"""What a model answers, whatever batch it was built for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ...backends import runtime
from ...errors import DataError
from ..data import axes

if TYPE_CHECKING:
    import keras


# Samples in a batch, of few samples and of many.
_FEW, _MANY = 32, 256


def outputs_of(model: keras.Model, x: np.ndarray) -> np.ndarray:
    """The model's outputs for prepared inputs, its recurrent states reset before.

    It is asked in batches of one size: that which it was built for, else one of two, so that a framework that compiles
    for each size compiles no more, and what a sample is answered does not depend on how many came with it. The last
    batch is filled up, and what the model says of the filling is dropped.

    Args:
        x: (n, …) prepared samples, at least one.

    Returns:
        (n, …) float32, or float64 of a model that computes so.
    """
    reset_states(model)
    size = fixed_batch(model) or (_FEW if len(x) <= _FEW else _MANY)
    filled = np.concatenate([x, np.repeat(x[-1:], -len(x) % size, axis=0)])
    with runtime.current().remembering(model):
        if runtime.stateful_layers(model):  # under JAX only `predict` keeps what they remember
            return as_floats(model.predict(filled, batch_size=size, verbose=0))[: len(x)]
        # Not `predict`, which sets up an iterator for more time than a small model answers in.
        batches = (filled[first : first + size] for first in range(0, len(filled), size))
        return np.concatenate([as_floats(model.predict_on_batch(batch)) for batch in batches])[: len(x)]


def as_floats(outputs: Any) -> np.ndarray:
    """A model's outputs as an array; 16-bit floats, of which NumPy knows only one kind, as float32."""
    found = np.asarray(outputs)
    return found.astype("float32") if found.dtype.itemsize == 2 and found.dtype.kind not in "iu" else found


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
