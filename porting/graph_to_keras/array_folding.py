"""Compute functions of whole arrays that are known before a model runs; `constant_folding.py` has those of numbers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from .constant_folding import Fold, SampleNumbers, UniformArray, as_array, is_trained, lengths
from .foreign_graph import Weight


def _along_an_axis(function: Callable[..., np.ndarray]) -> Fold:
    """Return the fold of a function of one constant with attributes."""

    def fold(inputs: Sequence[Any], attributes: Mapping[str, Any]) -> Sequence[Any] | None:
        if any(is_trained(each) for each in inputs) or as_array(inputs[0]).dtype == object:
            return None
        return [function(*(None if each is None else as_array(each) for each in inputs), **attributes)]

    return fold


def _differences(
    values: np.ndarray, before: np.ndarray | None, after: np.ndarray | None, *, count: int, axis: int
) -> np.ndarray:
    ends = {name: end for name, end in (("prepend", before), ("append", after)) if end is not None}
    return np.diff(values, count, axis, **ends)


def _gather(inputs: Sequence[Any], attributes: Mapping[str, Any]) -> Sequence[Any] | None:
    values, places = inputs
    if is_trained(values):
        return None
    if isinstance(values, UniformArray):
        return [replace(values, shape=places.shape if isinstance(places, UniformArray) else as_array(places).shape)]
    return [np.take_along_axis(as_array(values), as_array(places).astype(int), axis=int(attributes["axis"]))]


def _index(inputs: Sequence[Any], attributes: Mapping[str, Any]) -> Sequence[Any] | None:
    """Pick by an array of places for each of the first axes. An array that is one for all samples has one row."""
    values, *places = inputs
    if is_trained(values):
        return None
    array = as_array(values)
    rows = [
        np.zeros((1,) * len(each.shape), int) if isinstance(each, SampleNumbers) and length == 1 else as_array(each)
        for each, length in zip(places, array.shape, strict=False)
    ]
    return [np.asarray(array[tuple(rows)])]


def _weight_norm(inputs: Sequence[Any], attributes: Mapping[str, Any]) -> Sequence[Any] | None:
    """Return the weight that direction and length make; Keras has no layer that trains the two."""
    direction, length = inputs
    if not isinstance(direction, Weight):
        return None
    value, axis = direction.value, int(attributes["axis"]) % direction.value.ndim
    others = tuple(each for each in range(value.ndim) if each != axis)
    norm = np.sqrt(np.square(value).sum(axis=others, keepdims=True))
    return [replace(direction, value=np.asarray(value * as_array(length) / norm, value.dtype))]


def _assign(inputs: Sequence[Any], attributes: Mapping[str, Any]) -> Sequence[Any] | None:
    """Return an array with a part of it filled by a number."""
    values, number = inputs
    if is_trained(values):
        return None
    array = np.array(as_array(values))
    part: Any = array
    for axis, start, stop, step in attributes["parts"]:
        stop = None if stop is None else lengths(stop)[0]
        part = part[(*(slice(None),) * (axis % part.ndim), slice(start, stop, step))]
    part[...] = as_array(number)
    return [array]


# What Keras trains otherwise where a weight is computed in advance from weights that are trained.
TRAINED_OTHERWISE = {"weight_norm": "Keras trains the weight that a direction and a length make, not these two"}

ARRAY_FOLDS: dict[str, Fold] = {
    "cumsum": _along_an_axis(lambda values, axis: np.cumsum(values, axis)),
    "diff": _along_an_axis(_differences),
    "tril": _along_an_axis(lambda values, diagonal: np.tril(values, diagonal)),
    "triu": _along_an_axis(lambda values, diagonal: np.triu(values, diagonal)),
    "gather": _gather,
    "index": _index,
    "weight_norm": _weight_norm,
    "assign": _assign,
}
