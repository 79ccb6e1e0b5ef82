"""Nests of arrays: one array, or a tuple, list or dictionary of arrays, as Keras takes them for several inputs.

The first axis of every array counts the samples. The arrays of a nest come in the order of `keras.tree`: a dictionary
is sorted by its keys.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np
import optree

from ..backends.nests import Nest as Nest
from ..backends.nests import arrays_of as arrays_of
from ..backends.nests import map_arrays as map_arrays
from ..backends.nests import sample_count as sample_count
from ..errors import DataError, first_line
from .deferred_array import DeferredArray, RowFunction

# Values that are read at once to look at the first samples: 64 MB of float32.
_MOST_VALUES = 2**24


def take(nest: Nest, samples: Any) -> Nest:
    """Return the nest of these samples: a slice, or an array of indices."""
    return map_arrays(lambda array: array[samples], nest)


def concatenated(nests: Sequence[Nest]) -> Nest:
    """Return one nest with the samples of all of them, which have the same structure."""
    return optree.tree_map(lambda *arrays: np.concatenate(arrays), *nests)


def form_of(nest: Nest) -> Hashable:
    """Return what two nests have in common if all their arrays have the same places, shapes and dtypes."""
    arrays, places = optree.tree_flatten(nest)
    return places, tuple((array.shape, array.dtype) for array in arrays)


def select(nest: Nest, samples: slice | np.ndarray) -> Nest:
    """Return the nest of these samples; those of deferred arrays are not read."""

    def rows(array: Any) -> Any:
        return array.select(samples) if isinstance(array, DeferredArray) else array[samples]

    return map_arrays(rows, nest)


def map_rows(function: RowFunction, nest: Nest) -> Nest:
    """Return the nest with its rows changed by a function; those of deferred arrays are changed when they are read.

    Args:
        function: returns as many rows as it is given.
    """

    def mapped(array: Any) -> Any:
        return array.mapped(function) if isinstance(array, DeferredArray) else function(array)

    return map_arrays(mapped, nest)


def head(nest: Nest, most: int) -> Nest:
    """Return the first samples, which are read: at most `most`, and at most as many as have some million values."""
    values = sum(math.prod(array.shape[1:]) for array in arrays_of(nest))
    return take(nest, slice(0, min(most, max(1, _MOST_VALUES // max(1, values)))))


def is_deferred(nest: Nest) -> bool:
    """Return whether an array of the nest is read from its file row by row."""
    arrays: list[Any] = arrays_of(nest)
    return any(isinstance(array, DeferredArray) for array in arrays)


def deferred(nest: Nest) -> Nest:
    """Return the nest with its arrays prepared only when their rows are asked for."""

    def rows(array: Any) -> DeferredArray:
        return array if isinstance(array, DeferredArray) else DeferredArray(array)

    return map_arrays(rows, nest)


def is_array(nest: Nest) -> bool:
    """Return whether the nest is a single array."""
    return not isinstance(nest, (Mapping, tuple, list))


def from_user(nest: Nest) -> Nest:
    """Return a user's nest with NumPy arrays; a list is a nest if it holds arrays, and an array if it holds numbers.

    Raises:
        DataError: something is no array, or an array has masked values.
    """
    if isinstance(nest, Mapping):
        return {str(name): from_user(part) for name, part in nest.items()}
    if isinstance(nest, (tuple, list)) and any(isinstance(part, Mapping) or hasattr(part, "shape") for part in nest):
        return tuple(from_user(part) for part in nest)
    if isinstance(nest, DeferredArray):
        return nest
    if np.ma.is_masked(nest):
        masked = np.count_nonzero(np.ma.getmaskarray(nest))
        raise DataError(f"{masked} values of an array are masked: leave their rows out, or fill them")
    try:
        array = np.asarray(nest)
    except (TypeError, ValueError, RuntimeError) as error:  # a framework's tensor may refuse, a list be ragged
        raise DataError(f"{type(nest).__name__} is no array of numbers: {first_line(error)}") from error
    return array.astype(array.dtype.newbyteorder("="), copy=False)  # frameworks take no other byte order


def named_arrays(nest: Nest, name: str) -> dict[str, np.ndarray]:
    """Return the arrays by name: `name` for a single array, the keys or places below it for the arrays of a nest."""
    if is_array(nest):
        return {name: nest}
    pairs = sorted(nest.items()) if isinstance(nest, Mapping) else enumerate(nest)
    return {path: array for key, part in pairs for path, array in named_arrays(part, f"{name}/{key}").items()}
