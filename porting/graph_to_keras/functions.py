"""Keras' activations, arithmetic and reductions for what computes value by value, or along axes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np

from .builder import Builder, Handler, Held, RefusedError, inserted, plain_order
from .constant_folding import Filled
from .foreign_graph import Node, Weight
from .pooling import global_average

_UNARY = (
    *("abs", "negative", "sign", "square", "sqrt", "rsqrt", "exp", "expm1", "log", "log1p", "reciprocal"),
    *("sin", "cos", "tan", "floor", "ceil", "round", "erf", "logical_not"),
)
_BINARY = (
    *("add", "subtract", "multiply", "divide", "maximum", "minimum", "power", "floor_divide", "mod"),
    *("equal", "not_equal", "greater", "greater_equal", "less", "less_equal", "logical_and", "logical_or"),
)
_MERGES = {
    "add": keras.layers.Add,
    "subtract": keras.layers.Subtract,
    "multiply": keras.layers.Multiply,
    "maximum": keras.layers.Maximum,
    "minimum": keras.layers.Minimum,
}
_REDUCTIONS = ("mean", "sum", "max", "min", "prod", "var", "std")


# --- activations ----------------------------------------------------------------------------------------------------


def _with_settings(name: str, node: Node, x: Held) -> Any:
    """The layer or function of an activation that has settings; None for one without."""
    given = node.attributes
    if name == "leaky_relu":
        return keras.layers.LeakyReLU(negative_slope=float(given["negative_slope"]))
    if name == "elu":
        return keras.layers.ELU(alpha=float(given["alpha"]))
    if name == "celu":
        return lambda tensor: keras.ops.celu(tensor, alpha=float(given["alpha"]))
    if name == "gelu":
        return lambda tensor: keras.ops.gelu(tensor, approximate=given["approximate"] == "tanh")
    if name in ("softmax", "log_softmax", "glu"):
        axis = x.axis(given["axis"])
        axis = -1 if axis == x.rank - 1 else axis
        if name == "softmax":
            return keras.layers.Softmax(axis=axis)
        return lambda tensor: getattr(keras.ops, name)(tensor, axis=axis)
    return None


def _activation(builder: Builder, node: Node) -> Sequence[Held]:
    name = node.attributes["name"]
    along_an_axis = name in ("softmax", "log_softmax", "glu")
    x = builder.unscrambled(node) if along_an_axis else builder.held(node.inputs[0])
    if name == "clip":
        return [Held(_clipped(builder, node, x), x.order, x.features)]
    function = _with_settings(name, node, x) or keras.layers.Activation(name)
    return [Held(function(x.tensor), x.order, x.features)]


def _clipped(builder: Builder, node: Node, x: Held) -> Any:
    low, high = (_number(node.attributes[name]) for name in ("low", "high"))
    if (low, high) == (0, 6):
        return keras.layers.Activation("relu6")(x.tensor)
    if (low, high) == (-1, 1):
        return keras.layers.Activation("hard_tanh")(x.tensor)
    if high is None:
        return keras.layers.Activation("relu")(x.tensor) if low == 0 else keras.ops.maximum(x.tensor, low)
    return keras.ops.minimum(x.tensor, high) if low is None else keras.ops.clip(x.tensor, low, high)


def _number(value: Any) -> float | None:
    return None if value is None else float(np.ravel(value)[0])


def _prelu(builder: Builder, node: Node) -> Sequence[Held]:
    """One slope for all, or one a channel."""
    x, slope = builder.held(node.inputs[0]), builder.array(node.inputs[1])
    assert slope is not None
    tensor, order = builder.last(x), (0, *range(2, x.rank), 1)
    if slope.size == 1:
        slope = np.full(tensor.shape[-1], slope.ravel()[0])
    shared = list(range(1, x.rank - 1)) or None
    alpha = slope.reshape((*(1,) * (x.rank - 2), -1))
    return [Held(builder.layer(keras.layers.PReLU, tensor, [(node.inputs[1], alpha)], shared_axes=shared), order)]


# --- arithmetic -----------------------------------------------------------------------------------------------------


def _unary(kind: str) -> Handler:
    def handle(builder: Builder, node: Node) -> Sequence[Held]:
        x = builder.held(node.inputs[0])
        return [Held(getattr(keras.ops, kind)(x.tensor), x.order, x.features)]

    return handle


def _elementwise(kind: str) -> Handler:
    function: Callable[..., Any] = getattr(keras.ops, kind)

    def handle(builder: Builder, node: Node) -> Sequence[Held]:
        given, order = aligned(builder, node.inputs)
        tensors = [each for each in given if hasattr(each, "dtype") and not isinstance(each, np.ndarray)]
        if kind in _MERGES and len(tensors) == 2 and _alike(*tensors):
            return [Held(_MERGES[kind]()(tensors), order)]
        return [Held(function(*given), order)]

    return handle


def _alike(one: Any, other: Any) -> bool:
    return bool(one.shape == other.shape and one.dtype == other.dtype)


def aligned(builder: Builder, operands: Sequence[Any]) -> tuple[list[Any], tuple[int, ...]]:
    """Operands that broadcast with each other, all with their axes in one order, and that order."""
    found = [builder.operand(each) for each in operands]
    held = [each for each in found if isinstance(each, Held)]
    if not held:
        held = [builder.parameter(each, each.value.ndim) for each in found if isinstance(each, Weight)][:1]
    if not held:
        raise RefusedError("it works on constants alone, with a length that is open")
    rank = max(_rank_of(each) for each in found)
    found = [_widened(builder, each, rank) if isinstance(each, Held) else each for each in found]
    widest = max(held, key=lambda each: each.rank)
    order = _widened(builder, widest, rank).order
    return [_broadcast(builder, each, rank, order) for each in found], order


def _widened(builder: Builder, x: Held, rank: int) -> Held:
    """An array with as many axes as another, in front of its own; in Keras behind the samples."""
    if x.rank == rank:
        return x
    tensor, order = builder.plain(x), plain_order(x.rank)
    for _ in range(rank - x.rank):
        order, place = inserted(order, 0)
        tensor = keras.ops.expand_dims(tensor, place)
    return Held(tensor, order)


def _rank_of(value: Any) -> int:
    if isinstance(value, Held):
        return value.rank
    if isinstance(value, Weight):
        return int(value.value.ndim)
    return len(value.shape) if isinstance(value, Filled) else int(np.ndim(value))


def _broadcast(builder: Builder, value: Any, rank: int, order: tuple[int, ...]) -> Any:
    """An operand as the others have it: numbers stay numbers, weights that train are weights of the model."""
    if isinstance(value, Filled):
        return value.value
    if isinstance(value, Weight) and value.trains_alone:
        return builder.parameter(value, rank, order).tensor
    if isinstance(value, Held):
        return builder.arranged(value, order)
    array = np.asarray(value.value if isinstance(value, Weight) else value)
    if array.dtype == object:
        raise RefusedError("it computes with a length that is open")
    if array.ndim == 0:
        return array.item()
    return array.reshape((1,) * (rank - array.ndim) + array.shape).transpose(order)


def _where(builder: Builder, node: Node) -> Sequence[Held]:
    given, order = aligned(builder, node.inputs)
    return [Held(keras.ops.where(*given), order)]


def _einsum(builder: Builder, node: Node) -> Sequence[Held]:
    equation = str(node.attributes["equation"])
    tensors = [builder.plain(builder.held(each)) for each in node.inputs]
    rank = len(equation.partition("->")[2])
    return [Held(keras.ops.einsum(equation, *tensors), plain_order(rank))]


def _cast(builder: Builder, node: Node) -> Sequence[Held]:
    x, dtype = builder.held(node.inputs[0]), str(node.attributes["dtype"])
    if dtype in ("float64", "float16", "bfloat16"):
        raise RefusedError(f"it computes in {dtype}, and only float32 is covered")
    dtype = "int32" if dtype == "int64" else dtype
    return [x if str(x.tensor.dtype) == dtype else Held(keras.ops.cast(x.tensor, dtype), x.order, x.features)]


# --- reductions -----------------------------------------------------------------------------------------------------


def _reduction(kind: str) -> Handler:
    def handle(builder: Builder, node: Node) -> Sequence[Held]:
        x, keep = builder.unscrambled(node), bool(node.attributes["keepdims"])
        axes = node.attributes["axes"]
        axes = range(x.rank) if axes is None else np.ravel(np.array(axes, dtype=int)).tolist()
        axes = tuple(sorted(int(axis) % x.rank for axis in axes))
        if kind == "mean" and axes == tuple(range(2, x.rank)) and (made := global_average(builder, x, keep)):
            return [made]
        places = tuple(sorted(x.axis(axis) for axis in axes))
        tensor = getattr(keras.ops, kind)(x.tensor, axis=places, keepdims=keep)
        return [Held(tensor, x.order if keep else without(x.order, axes))]

    return handle


def without(order: tuple[int, ...], axes: Sequence[int]) -> tuple[int, ...]:
    """The order of what is left when some axes of the file's array are gone."""
    left = sorted(axis for axis in order if axis not in axes)
    return tuple(left.index(axis) for axis in order if axis not in axes)


def _position(kind: str) -> Handler:
    def handle(builder: Builder, node: Node) -> Sequence[Held]:
        x, keep = builder.unscrambled(node), bool(node.attributes["keepdims"])
        axes = node.attributes["axes"]
        if axes is None or len(axes) != 1:
            raise RefusedError("of a whole array")
        axis = int(axes[0]) % x.rank
        tensor = getattr(keras.ops, kind)(x.tensor, axis=x.axis(axis), keepdims=keep)
        return [Held(tensor, x.order if keep else without(x.order, (axis,)))]

    return handle


def _cumsum(builder: Builder, node: Node) -> Sequence[Held]:
    x = builder.unscrambled(node)
    return [Held(keras.ops.cumsum(x.tensor, axis=x.axis(node.attributes["axis"])), x.order)]


FUNCTIONS: dict[str, Handler] = {
    "activation": _activation,
    "prelu": _prelu,
    **{kind: _unary(kind) for kind in _UNARY},
    **{kind: _elementwise(kind) for kind in _BINARY},
    "where": _where,
    "einsum": _einsum,
    "cast": _cast,
    **{kind: _reduction(kind) for kind in _REDUCTIONS},
    "argmax": _position("argmax"),
    "argmin": _position("argmin"),
    "cumsum": _cumsum,
}
