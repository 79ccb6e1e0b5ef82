"""What is known before a model runs: lengths, constants, and weights that the file keeps in another shape.

Lengths may be open, as that of the batch is: arithmetic with those is `OPEN` again. A weight that is only moved about
stays a weight, under its name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from .foreign_graph import Weight

# A constant that a file of a few lines computes may not take all of the memory.
_LARGEST = 2**26  # numbers
# Stands for an open length where NumPy wants a number.
_MARK = 1_000_003


class _Open:
    """A length that is known only when the model runs."""

    def _open(self, other: object) -> _Open:
        return self

    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __floordiv__ = __truediv__ = __neg__ = _open

    def __repr__(self) -> str:
        return "open"


OPEN = _Open()


def is_open(length: Any) -> bool:
    """Whether a length is not told: open, or -1 for what is left."""
    return length is OPEN or length == -1


@dataclass(frozen=True)
class Filled:
    """An array of one value, whose lengths may be open."""

    value: float
    shape: tuple[Any, ...]


def is_known(value: Any) -> bool:
    """Whether it is a constant or a weight: nothing that the model computes."""
    return value is None or isinstance(value, (bool, int, float, np.ndarray, np.generic, Weight, Filled, _Open))


Fold = Callable[[Sequence[Any], Mapping[str, Any]], "Sequence[Any] | None"]


def lengths(value: Any) -> tuple[Any, ...]:
    """A list of lengths, however it was given, as ints and `OPEN`."""
    found = value.value if isinstance(value, Weight) else value
    listed = list(np.ravel(found)) if isinstance(found, np.ndarray) else found
    return tuple(each if isinstance(each, _Open) else int(each) for each in np.ravel(np.array(listed, dtype=object)))


def _moved(function: Callable[[np.ndarray, Mapping[str, Any]], np.ndarray]) -> Fold:
    """Of one array, whose values are only moved about: a weight stays one."""

    def fold(given: Sequence[Any], attributes: Mapping[str, Any]) -> Sequence[Any] | None:
        value = given[0]
        if isinstance(value, Filled):
            return [_filled(value, function, attributes)]
        if isinstance(value, Weight):
            return [replace(value, value=function(value.value, attributes))]
        return [function(_array(value), attributes)]

    return fold


def _filled(value: Filled, function: Callable[..., np.ndarray], attributes: Mapping[str, Any]) -> Filled:
    """Of an array of one value only the shape changes. It takes no memory; an open length is one that nobody has."""
    shape = [_MARK if isinstance(length, _Open) else length for length in value.shape]
    moved = function(np.broadcast_to(np.float32(value.value), shape), attributes)
    return Filled(value.value, tuple(OPEN if length == _MARK else length for length in moved.shape))


def _computed(function: Callable[..., Any]) -> Fold:
    """Of constants; not of weights that train, which the model must compute with."""

    def fold(given: Sequence[Any], attributes: Mapping[str, Any]) -> Sequence[Any] | None:
        if any((isinstance(each, Weight) and each.trains_alone) or isinstance(each, Filled) for each in given):
            return None
        return [function(*(_array(each) for each in given), **attributes)]

    return fold


def _array(value: Any) -> np.ndarray:
    found = value.value if isinstance(value, Weight) else value
    return np.array(found, dtype=object) if isinstance(found, _Open) else np.asarray(found)


def _reshape(given: Sequence[Any], attributes: Mapping[str, Any]) -> Sequence[Any]:
    value, shape = given[0], lengths(attributes["shape"])
    if isinstance(value, Filled):
        return [Filled(value.value, shape)]
    if isinstance(value, Weight):
        return [replace(value, value=value.value.reshape(shape))]
    return [_array(value).reshape(shape)]


def _permute(value: np.ndarray, attributes: Mapping[str, Any]) -> np.ndarray:
    return value.transpose(attributes["axes"])


def _swap(value: np.ndarray, attributes: Mapping[str, Any]) -> np.ndarray:
    return np.swapaxes(value, *attributes["axes"]) if value.ndim > 1 else value


def _squeeze(value: np.ndarray, attributes: Mapping[str, Any]) -> np.ndarray:
    axes = attributes["axes"]
    return np.squeeze(value, axis=None if axes is None else tuple(lengths(axes)))


def _unsqueeze(value: np.ndarray, attributes: Mapping[str, Any]) -> np.ndarray:
    return np.expand_dims(value, lengths(attributes["axes"]))


def _flatten(value: np.ndarray, attributes: Mapping[str, Any]) -> np.ndarray:
    start, end = attributes["start"] % max(value.ndim, 1), attributes["end"] % max(value.ndim, 1)
    return value.reshape((*value.shape[:start], -1, *value.shape[end + 1 :]))


def _select(value: np.ndarray, attributes: Mapping[str, Any]) -> np.ndarray:
    return np.asarray(value.take(attributes["index"], axis=attributes["axis"]))


def _slice(value: np.ndarray, attributes: Mapping[str, Any]) -> np.ndarray:
    cut = slice(attributes["start"], attributes["stop"], attributes["step"])
    places: list[Any] = [slice(None)] * value.ndim
    places[attributes["axis"]] = cut
    return np.asarray(value[tuple(places)])


def slices_of(attributes: Mapping[str, Any]) -> list[tuple[int, Any, Any, int]]:
    """(axis, start, stop, step) of each axis that is cut; a start or stop may be open."""
    starts, stops = lengths(attributes["starts"]), lengths(attributes["stops"])
    axes = range(len(starts)) if attributes["axes"] is None else lengths(attributes["axes"])
    steps = (1,) * len(starts) if attributes["steps"] is None else lengths(attributes["steps"])
    return [(int(axis), *cut) for axis, *cut in zip(axes, starts, stops, steps, strict=True)]


def _slices(value: np.ndarray, attributes: Mapping[str, Any]) -> np.ndarray:
    for axis, start, stop, step in slices_of(attributes):
        stop = None if isinstance(stop, _Open) else stop
        value = _slice(value, {"axis": axis, "start": start, "stop": stop, "step": step})
    return value


def _take(given: Sequence[Any], attributes: Mapping[str, Any]) -> Sequence[Any]:
    value, places = given[0], _array(given[1]).astype(int)
    if isinstance(value, Weight):
        return [replace(value, value=value.value.take(places, axis=attributes["axis"]))]
    return [np.asarray(_array(value).take(places, axis=attributes["axis"]))]


def _embedding(given: Sequence[Any], attributes: Mapping[str, Any]) -> Sequence[Any]:
    weight, places = given
    return _take((weight, places), {"axis": 0})


def _concatenate(given: Sequence[Any], attributes: Mapping[str, Any]) -> Sequence[Any] | None:
    if any((isinstance(each, Weight) and each.trains_alone) or isinstance(each, Filled) for each in given):
        return None
    return [np.concatenate([np.atleast_1d(_array(each)) for each in given], attributes["axis"])]


def _stack(given: Sequence[Any], attributes: Mapping[str, Any]) -> Sequence[Any] | None:
    if any(isinstance(each, (Weight, Filled)) for each in given):
        return None
    return [np.stack([_array(each) for each in given], attributes["axis"])]


def _matmul(given: Sequence[Any], attributes: Mapping[str, Any]) -> Sequence[Any] | None:
    """Of zeros by a matrix: the states that a recurrent layer begins with."""
    zeros, weight = given
    if isinstance(zeros, Filled) and zeros.value == 0 and isinstance(weight, Weight) and weight.value.ndim == 2:
        return [Filled(0.0, (*zeros.shape[:-1], weight.value.shape[1]))]
    return None


def _cast(given: Sequence[Any], attributes: Mapping[str, Any]) -> Sequence[Any]:
    value = given[0]
    if isinstance(value, (Weight, Filled, _Open)) or _array(value).dtype == object:
        return [value]
    return [_array(value).astype(attributes["dtype"])]


def _full(given: Sequence[Any], attributes: Mapping[str, Any]) -> Sequence[Any]:
    shape, value = lengths(attributes["shape"]), np.ravel(attributes["value"])[0]
    # Whole numbers are lengths themselves.
    if str(attributes.get("dtype")).startswith("int") and all(isinstance(n, int) for n in shape) and len(shape) < 2:
        _require_small(int(np.prod(shape, dtype=object)))
        return [np.full(shape, value)]
    return [Filled(float(value), shape)]


def _expand(given: Sequence[Any], attributes: Mapping[str, Any]) -> Sequence[Any] | None:
    value, shape = given[0], lengths(attributes["shape"])
    if isinstance(value, Filled):
        return [Filled(value.value, shape)]
    if isinstance(value, Weight) and value.trains_alone:
        return None
    found = _array(value)
    if found.size and found.dtype != object and (found == found.flat[0]).all():
        return [Filled(float(found.flat[0]), shape)]
    return None


def _arange(given: Sequence[Any], attributes: Mapping[str, Any]) -> Sequence[Any]:
    found = [np.ravel(np.array(attributes[name], dtype=object))[0] for name in ("start", "stop", "step")]
    if any(isinstance(each, _Open) for each in found):
        raise ValueError("it counts to a length that is open")
    _require_small((found[1] - found[0]) / found[2])
    return [np.arange(*found)]


def _require_small(count: float) -> None:
    if count > _LARGEST:
        raise ValueError(f"it makes over {_LARGEST:,} numbers")


def _same(given: Sequence[Any], attributes: Mapping[str, Any]) -> Sequence[Any]:
    return [given[0]]


FOLDS: dict[str, Fold] = {
    "same": _same,
    "dropout": _same,
    "reshape": _reshape,
    "permute": _moved(_permute),
    "swap": _moved(_swap),
    "squeeze": _moved(_squeeze),
    "unsqueeze": _moved(_unsqueeze),
    "flatten": _moved(_flatten),
    "select": _moved(_select),
    "slice": _moved(_slice),
    "slices": _moved(_slices),
    "take": _take,
    "embedding": _embedding,
    "concatenate": _concatenate,
    "stack": _stack,
    "matmul": _matmul,
    "cast": _cast,
    "full": _full,
    "expand": _expand,
    "arange": _arange,
    "add": _computed(np.add),
    "subtract": _computed(np.subtract),
    "multiply": _computed(np.multiply),
    "divide": _computed(np.true_divide),
    "floor_divide": _computed(np.floor_divide),
    "sqrt": _computed(np.sqrt),
    "negative": _computed(np.negative),
    "power": _computed(np.power),
    "equal": _computed(np.equal),
    "greater": _computed(np.greater),
    "where": _computed(np.where),
}
