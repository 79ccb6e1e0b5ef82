"""Activations, arithmetic and reductions: nodes that compute element by element, or along axes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import keras
import numpy as np

from .builder import Builder, Handler, OrderedTensor, UnsupportedNodeError, identity_order, insert_axis
from .constant_folding import UniformArray, with_leading_axes
from .foreign_graph import ForeignNode, Weight
from .pooling import global_average

_UNARY = (
    *("abs", "negative", "sign", "square", "sqrt", "rsqrt", "exp", "expm1", "log", "log1p", "reciprocal"),
    *("sin", "cos", "tan", "floor", "ceil", "round", "erf", "logical_not", "isnan", "isfinite", "stop_gradient"),
    *("sinh", "cosh", "arcsin", "arccos", "arctan", "arcsinh", "arccosh", "arctanh"),
)
_BINARY = (
    *("add", "subtract", "multiply", "divide", "maximum", "minimum", "power", "floor_divide", "mod"),
    *("equal", "not_equal", "greater", "greater_equal", "less", "less_equal", "logical_and", "logical_or", "arctan2"),
)
_MERGES = {
    "add": keras.layers.Add,
    "subtract": keras.layers.Subtract,
    "multiply": keras.layers.Multiply,
    "maximum": keras.layers.Maximum,
    "minimum": keras.layers.Minimum,
}
_REDUCTIONS = ("mean", "sum", "max", "min", "prod", "var", "std", "any", "all", "logsumexp")


# --- activations ----------------------------------------------------------------------------------------------------


def _activation_function(name: str, node: ForeignNode, x: OrderedTensor) -> Any:
    """Return the layer or function of an activation with options; None for an activation without."""
    attributes = node.attributes
    if name == "leaky_relu":
        return keras.layers.LeakyReLU(negative_slope=float(attributes["negative_slope"]))
    if name == "elu":
        return keras.layers.ELU(alpha=float(attributes["alpha"]))
    if name == "celu":
        return lambda tensor: keras.ops.celu(tensor, alpha=float(attributes["alpha"]))
    if name == "gelu":
        return lambda tensor: keras.ops.gelu(tensor, approximate=attributes["approximate"] == "tanh")
    if name in ("softmax", "log_softmax", "glu"):
        axis = x.axis(attributes["axis"])
        axis = -1 if axis == x.rank - 1 else axis
        if name == "softmax":
            return keras.layers.Softmax(axis=axis)
        return lambda tensor: getattr(keras.ops, name)(tensor, axis=axis)
    return None


def _activation(builder: Builder, node: ForeignNode) -> Sequence[OrderedTensor]:
    name = node.attributes["name"]
    along_an_axis = name in ("softmax", "log_softmax", "glu")
    x = builder.with_file_features(node) if along_an_axis else builder.model_tensor(node.inputs[0])
    if name == "clip":
        return [OrderedTensor(_clip(builder, node, x), x.order, x.features)]
    function = _activation_function(name, node, x) or keras.layers.Activation(name)
    return [OrderedTensor(function(x.tensor), x.order, x.features)]


def _clip(builder: Builder, node: ForeignNode, x: OrderedTensor) -> Any:
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


def _prelu(builder: Builder, node: ForeignNode) -> Sequence[OrderedTensor]:
    """PReLU with one slope for all channels, or one per channel."""
    x, slope = builder.model_tensor(node.inputs[0]), builder.array(node.inputs[1])
    assert slope is not None
    tensor, order = builder.with_channels_last(x), (0, *range(2, x.rank), 1)
    shared = list(range(1, x.rank if slope.size == 1 else x.rank - 1)) or None
    alpha = slope.reshape((*(1,) * (x.rank - 2), -1))
    return [
        OrderedTensor(builder.layer(keras.layers.PReLU, tensor, [(node.inputs[1], alpha)], shared_axes=shared), order)
    ]


# --- arithmetic -----------------------------------------------------------------------------------------------------


def _unary(kind: str) -> Handler:
    def handle(builder: Builder, node: ForeignNode) -> Sequence[OrderedTensor]:
        x = builder.model_tensor(node.inputs[0])
        return [OrderedTensor(getattr(keras.ops, kind)(x.tensor), x.order, x.features)]

    return handle


def _elementwise(kind: str) -> Handler:
    function: Callable[..., Any] = getattr(keras.ops, kind)

    def handle(builder: Builder, node: ForeignNode) -> Sequence[OrderedTensor]:
        operands, order = align(builder, node.inputs)
        tensors = [each for each in operands if hasattr(each, "dtype") and not isinstance(each, np.ndarray)]
        if kind in _MERGES and len(tensors) == 2 and _same_type(*tensors):
            return [OrderedTensor(_MERGES[kind]()(tensors), order)]
        return [OrderedTensor(function(*operands), order)]

    return handle


def _same_type(one: Any, other: Any) -> bool:
    return bool(one.shape == other.shape and one.dtype == other.dtype)


def align(builder: Builder, operands: Sequence[Any]) -> tuple[list[Any], tuple[int, ...]]:
    """Return operands that broadcast with each other, with their axes in the same order, and that order."""
    values = [builder.operand(each) for each in operands]
    if not any(isinstance(each, OrderedTensor) and None in each.tensor.shape for each in values):
        values = [builder.free_parameter(each) if isinstance(each, Weight) else each for each in values]
    tensors = [each for each in values if isinstance(each, OrderedTensor)]
    if not tensors:
        raise UnsupportedNodeError("it only has constants, with a length that is not known in advance")
    rank = max(_rank_of(each) for each in values)
    values = [_add_leading_axes(builder, each, rank) if isinstance(each, OrderedTensor) else each for each in values]
    widest = max(tensors, key=lambda each: each.rank)
    order = _add_leading_axes(builder, widest, rank).order
    return [_broadcast(builder, each, rank, order) for each in values], order


def _add_leading_axes(builder: Builder, x: OrderedTensor, rank: int) -> OrderedTensor:
    """Add leading axes up to a rank; in the Keras tensor they come after the batch."""
    if x.rank == rank:
        return x
    tensor, order = builder.in_file_order(x), identity_order(x.rank)
    for _ in range(rank - x.rank):
        order, place = insert_axis(order, 0)
        tensor = keras.ops.expand_dims(tensor, place)
    return OrderedTensor(tensor, order)


def _rank_of(value: Any) -> int:
    if isinstance(value, OrderedTensor):
        return value.rank
    if isinstance(value, Weight):
        return int(value.value.ndim)
    return len(value.shape) if isinstance(value, UniformArray) else int(np.ndim(value))


def _broadcast(builder: Builder, value: Any, rank: int, order: tuple[int, ...]) -> Any:
    """Return an operand in the common order. Numbers stay numbers; trainable weights become weights of the model."""
    if isinstance(value, UniformArray):
        return value.value
    if isinstance(value, Weight) and value.trains_standalone:
        return _broadcast_weight(builder, value, rank, order)
    if isinstance(value, OrderedTensor):
        return builder.in_order(value, order)
    array = np.asarray(value.value if isinstance(value, Weight) else value)
    if array.dtype == object:
        raise UnsupportedNodeError("it computes with a length that is not known in advance")
    if array.ndim == 0:
        return array.item()
    return with_leading_axes(array, rank).transpose(order)


def _broadcast_weight(builder: Builder, weight: Weight, rank: int, order: tuple[int, ...]) -> Any:
    """Return a weight in the common order, with a first axis of one: that of the others need not be the batch.

    The first axis of windows of pictures is the batch times the windows, for example.
    """
    value = with_leading_axes(weight.value, rank)
    if value.shape[0] != 1 or order[0] != 0:
        return builder.parameter(weight, rank, order).tensor
    return builder.free_parameter(replace(weight, value=value.transpose(order))).tensor


def _where(builder: Builder, node: ForeignNode) -> Sequence[OrderedTensor]:
    operands, order = align(builder, node.inputs)
    return [OrderedTensor(keras.ops.where(*operands), order)]


def _einsum(builder: Builder, node: ForeignNode) -> Sequence[OrderedTensor]:
    equation = str(node.attributes["equation"])
    operands = [builder.operand(each) for each in node.inputs]
    tensors = [
        each.value
        if isinstance(each, Weight) and not each.trainable
        else builder.in_file_order(builder.model_tensor(each))
        for each in operands
    ]
    rank = len(equation.partition("->")[2])
    return [OrderedTensor(keras.ops.einsum(equation, *tensors), identity_order(rank))]


def _cast(builder: Builder, node: ForeignNode) -> Sequence[OrderedTensor]:
    x, dtype = builder.model_tensor(node.inputs[0]), str(node.attributes["dtype"])
    if dtype in ("float64", "float16", "bfloat16"):
        raise UnsupportedNodeError(f"it computes in {dtype}, and only float32 is covered")
    dtype = "int32" if dtype == "int64" else dtype
    return [x if str(x.tensor.dtype) == dtype else OrderedTensor(keras.ops.cast(x.tensor, dtype), x.order, x.features)]


# --- reductions -----------------------------------------------------------------------------------------------------


def _reduction(kind: str) -> Handler:
    def handle(builder: Builder, node: ForeignNode) -> Sequence[OrderedTensor]:
        x, keep = builder.with_file_features(node), bool(node.attributes["keepdims"])
        axes = node.attributes["axes"]
        axes = range(x.rank) if axes is None else np.ravel(np.array(axes, dtype=int)).tolist()
        axes = tuple(sorted(int(axis) % x.rank for axis in axes))
        if kind == "mean" and axes == tuple(range(2, x.rank)) and (average := global_average(builder, x, keep)):
            return [average]
        places = tuple(sorted(x.axis(axis) for axis in axes))
        tensor = getattr(keras.ops, kind)(x.tensor, axis=places, keepdims=keep)
        if correction := node.attributes.get("correction"):
            share = _corrected_share([x.tensor.shape[place] for place in places], float(correction))
            tensor = keras.ops.multiply(tensor, share if kind == "var" else share**0.5)
        return [OrderedTensor(tensor, x.order if keep else drop_axes(x.order, axes))]

    return handle


def _corrected_share(lengths: Sequence[int | None], correction: float) -> float:
    """Return by what a variance is multiplied to be divided by the number of values less the correction."""
    if None in lengths:
        raise UnsupportedNodeError("its variance is divided by a number of values that is not known in advance")
    count = float(np.prod([int(length or 0) for length in lengths]))
    if count <= correction:
        raise UnsupportedNodeError("its variance is one of a single value")
    return count / (count - correction)


def _bitwise(kind: str) -> Handler:
    """Combine bits; for truth values that is the logical function, the only one that TensorFlow has for them."""
    bits, truth = (_elementwise(name) for name in (f"bitwise_{kind}", f"logical_{kind}"))

    def handle(builder: Builder, node: ForeignNode) -> Sequence[OrderedTensor]:
        values = [builder.operand(each) for each in node.inputs]
        dtypes = [str(each.tensor.dtype) for each in values if isinstance(each, OrderedTensor)]
        return (truth if "bool" in dtypes else bits)(builder, node)

    return handle


def drop_axes(order: tuple[int, ...], axes: Sequence[int]) -> tuple[int, ...]:
    """Return the order of the remaining axes when some axes of the file's array are dropped."""
    left = sorted(axis for axis in order if axis not in axes)
    return tuple(left.index(axis) for axis in order if axis not in axes)


def _arg_reduction(kind: str) -> Handler:
    def handle(builder: Builder, node: ForeignNode) -> Sequence[OrderedTensor]:
        x, keep = builder.with_file_features(node), bool(node.attributes["keepdims"])
        axes = node.attributes["axes"]
        if axes is None or len(axes) != 1:
            raise UnsupportedNodeError("it reduces a whole array, not one axis")
        axis = int(axes[0]) % x.rank
        tensor = getattr(keras.ops, kind)(x.tensor, axis=x.axis(axis), keepdims=keep)
        return [OrderedTensor(tensor, x.order if keep else drop_axes(x.order, (axis,)))]

    return handle


def _cumsum(builder: Builder, node: ForeignNode) -> Sequence[OrderedTensor]:
    x = builder.with_file_features(node)
    return [OrderedTensor(keras.ops.cumsum(x.tensor, axis=x.axis(node.attributes["axis"])), x.order)]


def _triangle(kind: str) -> Handler:
    def handle(builder: Builder, node: ForeignNode) -> Sequence[OrderedTensor]:
        x = builder.with_file_features(node)
        diagonal = int(node.attributes["diagonal"])
        return [OrderedTensor(getattr(keras.ops, kind)(builder.in_file_order(x), k=diagonal), identity_order(x.rank))]

    return handle


FUNCTIONS: dict[str, Handler] = {
    "activation": _activation,
    "prelu": _prelu,
    **{kind: _unary(kind) for kind in _UNARY},
    **{kind: _elementwise(kind) for kind in _BINARY},
    "bitwise_and": _bitwise("and"),
    "bitwise_or": _bitwise("or"),
    "where": _where,
    "einsum": _einsum,
    "cast": _cast,
    **{kind: _reduction(kind) for kind in _REDUCTIONS},
    "argmax": _arg_reduction("argmax"),
    "argmin": _arg_reduction("argmin"),
    "cumsum": _cumsum,
    "tril": _triangle("tril"),
    "triu": _triangle("triu"),
}
