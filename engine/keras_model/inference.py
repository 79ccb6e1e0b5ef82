"""Inference: compute a model's outputs, whatever batch size it was built for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ...backends import runtime
from ...data import axes
from ...data.nests import Nest, arrays_of, map_arrays, sample_count, take
from ...errors import DataError
from .interface import by_name, output_names

if TYPE_CHECKING:
    import keras


# Batch sizes for few samples and for many.
_SMALL_BATCH, _LARGE_BATCH = 32, 256


def outputs_of(model: keras.Model, x: Nest, *, padded: bool = True) -> Nest:
    """Return the model's outputs for preprocessed inputs. Recurrent states are reset first.

    All batches have one size: the size that the model was built for, or else one of two fixed sizes. So a framework
    that compiles for each batch size compiles at most twice, and the outputs for a sample do not depend on how many
    samples come with it. The last batch is padded, and the outputs for the padding are dropped.

    Args:
        x: (n, …) preprocessed samples, at least one, in the nest that the model takes.
        padded: False leaves the last batch as it is, where the model takes any size.

    Returns:
        (n, …) float32, or float64 if the model computes in float64; a dictionary by name for several outputs.
    """
    reset_states(model)
    count = sample_count(x)
    # A few small batches are quicker than a large one that is mostly padding.
    size = fixed_batch(model) or (_SMALL_BATCH if count <= _LARGE_BATCH // 2 else _LARGE_BATCH)
    padded = padded or fixed_batch(model) is not None
    padding = -count % size if padded else 0
    current = runtime.current()
    with current.carry_rnn_states(model), current.corrected_operations():
        if runtime.stateful_layers(model):  # under JAX, only `predict` keeps the recurrent states
            parts = [_as_arrays(model, model.predict(_padded(x, padding), batch_size=size, verbose=0))]
        else:
            # `predict` would spend more time on its data iterator than a small model needs to compute.
            batches = (take(x, slice(first, first + size)) for first in range(0, count, size))
            batches = (_padded(batch, size - sample_count(batch)) if padded else batch for batch in batches)
            parts = [_as_arrays(model, model.predict_on_batch(batch)) for batch in batches]
    return by_name(output_names(model), [np.concatenate(arrays)[:count] for arrays in zip(*parts, strict=True)])


def _padded(x: Nest, count: int) -> Nest:
    """Return the samples with the last one repeated so many times."""
    return map_arrays(lambda array: np.concatenate([array, np.repeat(array[-1:], count, axis=0)]), x) if count else x


def _as_arrays(model: keras.Model, outputs: Nest) -> list[np.ndarray]:
    """Return a model's outputs as arrays, in the order of `model.outputs`."""
    return [as_floats(output) for output in arrays_of(outputs)]


def as_floats(outputs: Any) -> np.ndarray:
    """Return a model's outputs as an array; 16-bit floats as float32, because NumPy has no bfloat16."""
    array = np.asarray(outputs)
    return array.astype("float32") if array.dtype.itemsize == 2 and array.dtype.kind not in "iu" else array


def accepts_shape(model: keras.Model, x: Nest) -> bool:
    """Return whether a model takes preprocessed samples (n, …) of this shape, in its own nest."""
    pairs = zip(model.inputs, arrays_of(x), strict=True)
    return all(axes.shape_matches(tuple(tensor.shape)[1:], array.shape[1:]) for tensor, array in pairs)


def fixed_batch(model: keras.Model) -> int | None:
    """Return the only batch size that the model takes, or None if it takes any."""
    size = model.inputs[0].shape[0]
    return None if size is None else int(size)


def reset_states(model: keras.Model) -> None:
    """Reset the states of stateful layers."""
    for layer in runtime.stateful_layers(model):
        layer.reset_state()


def require_memory(model: keras.Model, is_deferred: bool, what: str) -> None:
    """Raise a DataError if data stay in their files and the model keeps states from one batch to the next."""
    if is_deferred and runtime.stateful_layers(model):
        raise DataError(
            f"{what}: the model keeps states from batch to batch, for which data must be in memory: load by `stored=no`"
        )


def require_full_batches(model: keras.Model, samples: int, what: str) -> None:
    """Raise a DataError if the model takes batches of one size only and the samples do not fill them."""
    size = fixed_batch(model)
    if size is not None and samples % size:
        fitting = next(candidate for candidate in range(size, 0, -1) if samples % candidate == 0)
        raise DataError(
            f"{what}: {samples} samples are no multiple of the {size} that the model takes at a time: "
            f"{samples % size} would be left over (`options` batch={fitting} would fit)"
        )
