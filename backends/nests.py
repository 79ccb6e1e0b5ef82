"""Nests of arrays or tensors: one, or a tuple, list or dictionary of nests, as Keras takes them for several inputs.

The arrays of a nest come in the order of `keras.tree`: a dictionary is sorted by its keys.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import optree

from ..errors import DataError

# An array, or a tuple, list or dictionary of nests.
Nest = Any

Result = TypeVar("Result")


def arrays_of(nest: Nest) -> list[Any]:
    """Return the arrays of a nest, in order."""
    return optree.tree_leaves(nest)


def map_arrays(function: Callable[[Any], Result], nest: Nest) -> Any:
    """Return the nest with the function applied to each array."""
    return optree.tree_map(function, nest)


def sample_count(nest: Nest) -> int:
    """Return the number of samples.

    Raises:
        DataError: the arrays differ in length.
    """
    lengths = {len(array) for array in arrays_of(nest)}
    if len(lengths) > 1:
        raise DataError(
            f"its arrays have between {min(lengths)} and {max(lengths)} samples: each needs the same number"
        )
    return lengths.pop() if lengths else 0


def flatten(nest: Nest) -> tuple[list[Any], Callable[[Any], Nest]]:
    """Return the arrays of a nest, and a function that makes a nest of the same structure from others."""
    arrays, structure = optree.tree_flatten(nest)
    return arrays, lambda others: optree.tree_unflatten(structure, others)
