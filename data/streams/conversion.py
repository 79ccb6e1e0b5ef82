"""Batches of any framework as nests of NumPy arrays, by the protocols of their tensors: no framework is imported."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ...errors import DataError, first_line
from ..nests import Nest, named_arrays
from ..split import Split


def split_of(batch: Any, where: str) -> Split:
    """Return a batch `(x, y)`, `(x, y, weight)`, or a dictionary of named arrays, as a split of NumPy arrays.

    Args:
        batch: with tensors that have `__array__` or `numpy()`; those of PyTorch are detached and fetched from their
            device.
        where: the name of the batch in error messages.

    Raises:
        DataError: the batch has another form, or holds anything but numbers, or its arrays differ in length.
    """
    if isinstance(batch, Mapping):
        split = Split(_nest(batch, where), {})
    elif isinstance(batch, (tuple, list)) and len(batch) in (2, 3):
        weight = np.asarray(_array(batch[2], where), "float32") if len(batch) == 3 and batch[2] is not None else None
        split = Split(_nest(batch[0], where), _nest(batch[1], where), weight)
    else:
        size = f" of {len(batch)}" if isinstance(batch, (tuple, list)) else ""
        raise DataError(
            f"{where}: expected (x, y), (x, y, weight) or a dictionary of named arrays, received "
            f"{type(batch).__name__}{size}"
        )
    _require_equal_lengths(split, where)
    return split


def stacked(samples: list[Any], where: str) -> Split:
    """Return samples `(x, y)` or `(x, y, weight)`, or dictionaries of named values, as one batch.

    Raises:
        DataError: as `split_of`, or the samples differ in shape.
    """
    first = samples[0]
    try:
        if isinstance(first, Mapping):
            return split_of({name: _stack([sample[name] for sample in samples], where) for name in first}, where)
        if isinstance(first, (tuple, list)):
            return split_of(tuple(_stack(list(parts), where) for parts in zip(*samples, strict=True)), where)
    except (KeyError, ValueError) as error:
        raise DataError(f"{where}: its samples differ ({first_line(error)}): bring them to one shape") from error
    raise DataError(f"{where}: expected samples (x, y) or dictionaries, received {type(first).__name__}")


def _stack(values: list[Any], where: str) -> Nest:
    """Return the nest of several samples, their arrays stacked."""
    first = values[0]
    if isinstance(first, Mapping):
        return {str(name): _stack([value[name] for value in values], where) for name in first}
    if isinstance(first, (tuple, list)) and any(_is_tensor(part) for part in first):
        return tuple(_stack(list(parts), where) for parts in zip(*values, strict=True))
    return np.stack([_array(value, where) for value in values])


def _nest(value: Any, where: str) -> Nest:
    if isinstance(value, Mapping):
        return {str(name): _nest(part, where) for name, part in value.items()}
    if isinstance(value, (tuple, list)) and any(isinstance(part, Mapping) or _is_tensor(part) for part in value):
        return tuple(_nest(part, where) for part in value)
    return _array(value, where)


def _is_tensor(value: Any) -> bool:
    return hasattr(value, "shape") or hasattr(value, "__array__")


def _array(value: Any, where: str) -> np.ndarray:
    try:
        if hasattr(value, "detach"):  # PyTorch's protocol
            value = value.detach().cpu()
        array = np.asarray(value.numpy() if hasattr(value, "numpy") else value)
    except (TypeError, ValueError, RuntimeError) as error:
        raise DataError(f"{where}: {type(value).__name__} is no array of numbers ({first_line(error, 200)})") from error
    if array.dtype.kind not in "biuf":
        raise DataError(f"{where}: expected numbers, received dtype {array.dtype}")
    return array.astype(array.dtype.newbyteorder("="), copy=False)


def _require_equal_lengths(split: Split, where: str) -> None:
    arrays: dict[str, Any] = named_arrays(split.x, "x") | named_arrays(split.y, "y")
    for name, array in arrays.items():
        if array.ndim == 0 or not len(array):
            raise DataError(f"{where}: expected a batch of samples, received {name} of shape {array.shape}")
    if split.weight is not None:
        arrays["weight"] = split.weight
    lengths = {len(array) for array in arrays.values()}
    if len(lengths) > 1:
        counts = ", ".join(f"{name} {len(array)}" for name, array in arrays.items())
        raise DataError(f"{where}: its arrays have different numbers of samples ({counts})")
