"""Compute values that are known before a model runs: lengths, constants, and weights stored in another shape.

A length may be open, as that of the batch is; arithmetic with it gives `OPEN` again. A weight that is only rearranged
remains a weight with its name.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.special import erf, expit

from .foreign_graph import Weight

# The largest computed constant, so that a small hostile file cannot use up the memory.
_LARGEST = 2**26  # numbers
_COUNTS = "it counts to a length that is not known in advance"
# Stands for an open length where NumPy needs a number.
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
    """Return whether a length is unknown: open, or -1 for the rest."""
    return length is OPEN or length == -1


@dataclass(frozen=True)
class UniformArray:
    """An array with the same value everywhere, whose lengths may be open."""

    value: float
    shape: tuple[Any, ...]


@dataclass(frozen=True)
class SampleNumbers:
    """The numbers 0, 1, … of the samples of a batch, with which a file picks from an array that is one for all."""

    shape: tuple[Any, ...]


_KNOWN = (bool, int, float, np.ndarray, np.generic, Weight, UniformArray, SampleNumbers, _Open)


def is_known(value: Any) -> bool:
    """Return whether a value is a constant or a weight, and not computed by the model."""
    return value is None or isinstance(value, _KNOWN)


Fold = Callable[[Sequence[Any], Mapping[str, Any]], "Sequence[Any] | None"]


def lengths(value: Any) -> tuple[Any, ...]:
    """Convert lengths of any type to a tuple of ints and `OPEN`."""
    array = value.value if isinstance(value, Weight) else value
    listed = list(np.ravel(array)) if isinstance(array, np.ndarray) else array
    return tuple(each if isinstance(each, _Open) else int(each) for each in np.ravel(np.array(listed, dtype=object)))


def with_leading_axes(array: np.ndarray, rank: int) -> np.ndarray:
    """Return an array with axes of length 1 before its own, up to a rank."""
    return array.reshape((1,) * (rank - array.ndim) + array.shape)


def _rearrange(function: Callable[[np.ndarray, Mapping[str, Any]], np.ndarray]) -> Fold:
    """Return the fold of a function that only rearranges one array: a weight remains a weight."""

    def fold(inputs: Sequence[Any], attributes: Mapping[str, Any]) -> Sequence[Any] | None:
        value = inputs[0]
        if isinstance(value, (UniformArray, SampleNumbers)):
            return [replace(value, shape=_rearrange_shape(value.shape, function, attributes))]
        if isinstance(value, Weight):
            return [replace(value, value=function(value.value, attributes))]
        return [function(as_array(value), attributes)]

    return fold


def _rearrange_shape(
    lengths_before: Sequence[Any], function: Callable[..., np.ndarray], attributes: Mapping[str, Any]
) -> tuple[Any, ...]:
    """Apply a function to a shape, without allocating an array. `_MARK` stands for an open length."""
    shape = [_MARK if isinstance(length, _Open) else length for length in lengths_before]
    moved = function(np.broadcast_to(np.float32(0), shape), attributes)
    return tuple(OPEN if length == _MARK else length for length in moved.shape)


def _compute(function: Callable[..., Any]) -> Fold:
    """Return the fold of a function of constants, number by number. It leaves trainable weights to the model."""

    def fold(inputs: Sequence[Any], attributes: Mapping[str, Any]) -> Sequence[Any] | None:
        if any(is_trained(each) for each in inputs):
            return None
        if all(isinstance(each, UniformArray) or np.ndim(as_array(each)) == 0 for each in inputs) and any(
            isinstance(each, UniformArray) for each in inputs
        ):
            shapes = [each.shape for each in inputs if isinstance(each, UniformArray)]
            if len(set(shapes)) > 1 and () not in shapes:
                return None
            values = [each.value if isinstance(each, UniformArray) else as_array(each) for each in inputs]
            return [UniformArray(function(*values, **attributes).item(), max(shapes, key=len))]
        return [function(*(as_array(each) for each in inputs), **attributes)]

    return fold


def is_trained(value: Any) -> bool:
    """Return whether a value is a weight that is trained even if no layer owns it."""
    return isinstance(value, Weight) and value.trains_standalone


def _compute_each(function: Callable[[np.ndarray], Any]) -> Fold:
    """Return the fold of a function of each number of one constant."""

    def fold(inputs: Sequence[Any], attributes: Mapping[str, Any]) -> Sequence[Any] | None:
        value = inputs[0]
        if isinstance(value, UniformArray):
            return [UniformArray(np.asarray(function(_uniform(value))).item(), value.shape)]
        if (isinstance(value, Weight) and value.trains_standalone) or as_array(value).dtype == object:
            return None
        return [np.asarray(function(as_array(value)))]

    return fold


def _activate(inputs: Sequence[Any], attributes: Mapping[str, Any]) -> Sequence[Any] | None:
    function = _ACTIVATIONS.get(str(attributes.get("name")))
    return _compute_each(function)(inputs, attributes) if function else None


def _uniform(value: UniformArray) -> np.ndarray:
    """Return the number of a uniform array, in the float type of the file; a truth value stays one."""
    return np.asarray(value.value, None if isinstance(value.value, bool) else "float32")


def as_array(value: Any) -> np.ndarray:
    """Return a constant as an array. An open length, along which a uniform array is the same, becomes one."""
    if isinstance(value, UniformArray):
        shape = tuple(1 if isinstance(length, _Open) else int(length) for length in value.shape)
        require_small(math.prod(shape))
        return np.full(shape, _uniform(value))
    if isinstance(value, SampleNumbers):
        raise ValueError(_COUNTS)
    array = value.value if isinstance(value, Weight) else value
    return np.array(array, dtype=object) if isinstance(array, _Open) else np.asarray(array)


def _reshape(inputs: Sequence[Any], attributes: Mapping[str, Any]) -> Sequence[Any]:
    value, shape = inputs[0], lengths(attributes["shape"])
    if isinstance(value, UniformArray):
        return [UniformArray(value.value, shape)]
    if isinstance(value, Weight):
        return [replace(value, value=value.value.reshape(shape))]
    return [as_array(value).reshape(shape)]


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


def slice_ranges(attributes: Mapping[str, Any]) -> list[tuple[int, Any, Any, int]]:
    """Return (axis, start, stop, step) for each sliced axis; start and stop may be open."""
    starts, stops = lengths(attributes["starts"]), lengths(attributes["stops"])
    axes = range(len(starts)) if attributes["axes"] is None else lengths(attributes["axes"])
    steps = (1,) * len(starts) if attributes["steps"] is None else lengths(attributes["steps"])
    return [(int(axis), *cut) for axis, *cut in zip(axes, starts, stops, steps, strict=True)]


def _slices(value: np.ndarray, attributes: Mapping[str, Any]) -> np.ndarray:
    for axis, start, stop, step in slice_ranges(attributes):
        stop = None if isinstance(stop, _Open) else stop
        value = _slice(value, {"axis": axis, "start": start, "stop": stop, "step": step})
    return value


def _take(inputs: Sequence[Any], attributes: Mapping[str, Any]) -> Sequence[Any]:
    """Take rows; one row that is taken everywhere stays one, so that it is trained as one."""
    value = inputs[0]
    if isinstance(inputs[1], UniformArray):
        places = np.full((1,) * len(inputs[1].shape), int(inputs[1].value))
    else:
        places = as_array(inputs[1]).astype(int)
    if isinstance(value, Weight):
        return [replace(value, value=value.value.take(places, axis=attributes["axis"]))]
    return [np.asarray(as_array(value).take(places, axis=attributes["axis"]))]


def _embedding(inputs: Sequence[Any], attributes: Mapping[str, Any]) -> Sequence[Any]:
    weight, places = inputs
    return _take((weight, places), {"axis": 0})


def _concatenate(inputs: Sequence[Any], attributes: Mapping[str, Any]) -> Sequence[Any] | None:
    if any(is_trained(each) or isinstance(each, (UniformArray, SampleNumbers)) for each in inputs):
        return None
    return [np.concatenate([np.atleast_1d(as_array(each)) for each in inputs], attributes["axis"])]


def _stack(inputs: Sequence[Any], attributes: Mapping[str, Any]) -> Sequence[Any] | None:
    if any(isinstance(each, (Weight, UniformArray, SampleNumbers)) for each in inputs):
        return None
    return [np.stack([as_array(each) for each in inputs], attributes["axis"])]


def _matmul(inputs: Sequence[Any], attributes: Mapping[str, Any]) -> Sequence[Any] | None:
    """Fold a product of constants, and zeros times a matrix: the initial states of a recurrent layer."""
    zeros, weight = inputs
    if all(isinstance(each, np.ndarray) for each in inputs):
        return [np.matmul(*inputs)]
    if isinstance(zeros, UniformArray) and zeros.value == 0 and isinstance(weight, Weight) and weight.value.ndim == 2:
        return [UniformArray(0.0, (*zeros.shape[:-1], weight.value.shape[1]))]
    return None


def _cast(inputs: Sequence[Any], attributes: Mapping[str, Any]) -> Sequence[Any]:
    value = inputs[0]
    if isinstance(value, (Weight, UniformArray, _Open)) or as_array(value).dtype == object:
        return [value]
    return [as_array(value).astype(attributes["dtype"])]


def _full(inputs: Sequence[Any], attributes: Mapping[str, Any]) -> Sequence[Any]:
    shape, value = lengths(attributes["shape"]), np.ravel(attributes["value"])[0]
    # Integers are lengths themselves, so they need their values.
    if str(attributes.get("dtype")).startswith("int") and all(isinstance(n, int) for n in shape) and len(shape) < 2:
        require_small(int(np.prod(shape, dtype=object)))
        return [np.full(shape, value)]
    return [UniformArray(bool(value) if attributes.get("dtype") == "bool" else float(value), shape)]


def _expand(inputs: Sequence[Any], attributes: Mapping[str, Any]) -> Sequence[Any] | None:
    value, shape = inputs[0], lengths(attributes["shape"])
    if attributes.get("open"):
        shape = tuple(OPEN if is_open(length) else length for length in shape)
    if isinstance(value, UniformArray):
        return [UniformArray(value.value, _expanded(value.shape, shape))]
    if isinstance(value, SampleNumbers) or is_trained(value):
        return None
    array = as_array(value)
    if array.size and array.dtype != object and (array == array.flat[0]).all():
        return [UniformArray(array.flat[0].item(), _expanded(array.shape, shape))]
    if isinstance(value, Weight):
        return None
    # Along an open axis the array is the same: one row stands for all.
    known = [1 if length is OPEN else length for length in _expanded(array.shape, shape)]
    return [np.broadcast_to(array, known)] if all(isinstance(length, int) for length in known) else None


def _expanded(before: Sequence[Any], shape: Sequence[Any]) -> tuple[Any, ...]:
    """Return the target shape with each -1 replaced by the length that stays."""
    own = (1,) * (len(shape) - len(before)) + tuple(before)
    return tuple(length if new is not OPEN and new == -1 else new for length, new in zip(own, shape, strict=True))


def _arange(inputs: Sequence[Any], attributes: Mapping[str, Any]) -> Sequence[Any]:
    bounds = [np.ravel(np.array(attributes[name], dtype=object))[0] for name in ("start", "stop", "step")]
    if bounds[0] == 0 and bounds[1] is OPEN and bounds[2] == 1:
        return [SampleNumbers((OPEN,))]
    if any(isinstance(each, _Open) for each in bounds):
        raise ValueError(_COUNTS)
    require_small((bounds[1] - bounds[0]) / bounds[2])
    return [np.arange(*bounds)]


def require_small(count: float) -> None:
    if count > _LARGEST:
        raise ValueError(f"it computes a constant of over {_LARGEST:,} numbers")


def _same(inputs: Sequence[Any], attributes: Mapping[str, Any]) -> Sequence[Any]:
    return [inputs[0]]


# In the float type of the constant, as the framework of the file computes it.
_ACTIVATIONS: dict[str, Callable[[np.ndarray], Any]] = {
    "relu": lambda x: np.maximum(x, 0),
    "sigmoid": expit,
    "tanh": np.tanh,
    "softplus": lambda x: np.logaddexp(x, 0),
}
_FUNCTIONS: dict[str, Callable[[np.ndarray], Any]] = {
    **{name: getattr(np, name) for name in ("abs", "negative", "sign", "square", "sqrt", "exp", "expm1", "log")},
    **{name: getattr(np, name) for name in ("log1p", "sin", "cos", "tan", "floor", "ceil", "logical_not", "isnan")},
    "round": np.rint,
    "rsqrt": lambda x: 1 / np.sqrt(x),
    "reciprocal": lambda x: 1 / x,
    "erf": erf,
}

FOLDS: dict[str, Fold] = {
    "same": _same,
    "dropout": _same,
    "stop_gradient": _same,
    "reshape": _reshape,
    "permute": _rearrange(_permute),
    "swap": _rearrange(_swap),
    "squeeze": _rearrange(_squeeze),
    "unsqueeze": _rearrange(_unsqueeze),
    "flatten": _rearrange(_flatten),
    "select": _rearrange(_select),
    "slice": _rearrange(_slice),
    "slices": _rearrange(_slices),
    "take": _take,
    "embedding": _embedding,
    "concatenate": _concatenate,
    "stack": _stack,
    "matmul": _matmul,
    "cast": _cast,
    "full": _full,
    "expand": _expand,
    "arange": _arange,
    "add": _compute(np.add),
    "subtract": _compute(np.subtract),
    "multiply": _compute(np.multiply),
    "divide": _compute(np.true_divide),
    "floor_divide": _compute(np.floor_divide),
    **{kind: _compute_each(function) for kind, function in _FUNCTIONS.items()},
    "activation": _activate,
    "power": _compute(np.power),
    "maximum": _compute(np.maximum),
    "minimum": _compute(np.minimum),
    "mod": _compute(np.mod),
    "equal": _compute(np.equal),
    "not_equal": _compute(np.not_equal),
    "greater": _compute(np.greater),
    "greater_equal": _compute(np.greater_equal),
    "less": _compute(np.less),
    "less_equal": _compute(np.less_equal),
    "where": _compute(np.where),
    "logical_and": _compute(np.logical_and),
    "logical_or": _compute(np.logical_or),
    "bitwise_and": _compute(np.bitwise_and),
    "bitwise_or": _compute(np.bitwise_or),
}

# The kinds whose result is another weight, and not the same one rearranged.
COMPUTED = {
    *("concatenate", "stack", "matmul", "activation", "add", "subtract", "multiply", "divide"),
    *("power", "maximum", "minimum", "expand", "where", *_FUNCTIONS),
}
