"""Nodes that join, repeat, pad, flip or roll arrays."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from .builder import Builder, Handler, OrderedTensor, UnsupportedNodeError, identity_order, insert_axis
from .constant_folding import OPEN, UniformArray, is_open, lengths
from .foreign_graph import ForeignNode, Weight


def _aligned_inputs(builder: Builder, node: ForeignNode) -> tuple[list[Any], tuple[int, ...]]:
    """Return the inputs as tensors with the same order of axes, and that order. A constant becomes a frozen weight."""
    values = [builder.operand(each) for each in node.inputs]
    tensor_values = [each for each in values if isinstance(each, OrderedTensor)]
    rank = tensor_values[0].rank if tensor_values else np.asarray(builder.array(node.inputs[0])).ndim
    order, tensors = tensor_values[0].order if tensor_values else identity_order(rank), []
    for value in values:
        tensor = builder.uniform(value) if isinstance(value, UniformArray) else value
        if isinstance(tensor, OrderedTensor):
            tensors.append(builder.in_order(tensor, order))
            continue
        weight = value if isinstance(value, Weight) else Weight("constant", np.asarray(value, "float32"), False)
        tensors.append(builder.parameter(weight, rank, order).tensor)
    return tensors, order


def _concatenate(builder: Builder, node: ForeignNode) -> Sequence[OrderedTensor]:
    tensors, order = _aligned_inputs(builder, node)
    axis = order.index(int(node.attributes["axis"]) % len(order))
    return [OrderedTensor(keras.layers.Concatenate(axis=axis)(tensors) if len(tensors) > 1 else tensors[0], order)]


def _stack(builder: Builder, node: ForeignNode) -> Sequence[OrderedTensor]:
    tensors, order = _aligned_inputs(builder, node)
    order, place = insert_axis(order, int(node.attributes["axis"]) % (len(order) + 1))
    return [OrderedTensor(keras.ops.stack(tensors, axis=place), order)]


def _expand(builder: Builder, node: ForeignNode) -> Sequence[OrderedTensor]:
    target = lengths(node.attributes["shape"])
    value = builder.operand(node.inputs[0])
    x = builder.parameter(value, len(target)) if isinstance(value, Weight) else builder.with_file_features(node)
    tensor, order, target = x.tensor, x.order, (1,) * (x.rank - len(target)) + target
    for _ in range(len(target) - x.rank):
        order, place = insert_axis(order, 0)
        tensor = keras.ops.expand_dims(tensor, place)
    for axis, length in enumerate(target):
        place = order.index(axis)
        if is_open(length) and None not in tensor.shape and tensor.shape[place] == 1:
            zeros = keras.ops.cast(builder.batch_zeros(), tensor.dtype)
            ones = [-1 if each == place else 1 for each in range(len(order))]
            tensor = keras.ops.add(tensor, keras.ops.reshape(zeros, ones))
        elif place == 0 and None not in tensor.shape and tensor.shape[0] == 1 and length != 1:
            tensor = keras.ops.repeat(tensor, int(length), axis=0)
        elif place and not is_open(length) and tensor.shape[place] == 1 and length != 1:
            tensor = keras.ops.repeat(tensor, int(length), axis=place)
        elif place and length is OPEN and tensor.shape[place] == 1:
            raise UnsupportedNodeError("it repeats an axis to a length that is not known in advance")
    return [OrderedTensor(tensor, order)]


def _tile(builder: Builder, node: ForeignNode) -> Sequence[OrderedTensor]:
    x = builder.with_file_features(node)
    repeats = lengths(node.attributes["repeats"])
    if len(repeats) != x.rank or any(length is OPEN for length in repeats):
        raise UnsupportedNodeError("it repeats an array along new axes, or once per sample")
    arranged = tuple(int(repeats[axis]) for axis in x.order)
    if arranged[0] != 1:
        raise UnsupportedNodeError("it repeats samples")
    return [OrderedTensor(keras.ops.tile(x.tensor, arranged), x.order)]


def _pad(builder: Builder, node: ForeignNode) -> Sequence[OrderedTensor]:
    """Pad by widths in PyTorch's order: (before, after) of the last axis first."""
    x, widths = builder.with_file_features(node), lengths(node.attributes["widths"])
    pairs = [(0, 0)] * x.rank
    for number, at in enumerate(range(0, len(widths), 2)):
        pairs[-1 - number] = (int(widths[at]), int(widths[at + 1]))
    if any(width < 0 for pair in pairs for width in pair):
        raise UnsupportedNodeError("it pads by a negative width")
    arranged = tuple(pairs[axis] for axis in x.order)
    mode = node.attributes["mode"]
    options = {"constant_values": float(np.ravel(node.attributes["value"])[0])} if mode == "constant" else {}
    return [OrderedTensor(keras.ops.pad(x.tensor, arranged, mode=mode, **options), x.order)]


def _flip(builder: Builder, node: ForeignNode) -> Sequence[OrderedTensor]:
    x = builder.with_file_features(node)
    return [
        OrderedTensor(keras.ops.flip(x.tensor, axis=tuple(x.axis(axis) for axis in node.attributes["axes"])), x.order)
    ]


def _roll(builder: Builder, node: ForeignNode) -> Sequence[OrderedTensor]:
    x = builder.with_file_features(node)
    axes, shifts = (lengths(node.attributes[name]) for name in ("axes", "shifts"))
    if len(axes) != len(shifts):
        raise UnsupportedNodeError("it rolls the flattened array")
    tensor = x.tensor
    for axis, shift in zip(axes, shifts, strict=True):
        tensor = keras.ops.roll(tensor, int(shift), axis=x.axis(int(axis)))
    return [OrderedTensor(tensor, x.order)]


JOINS: dict[str, Handler] = {
    "concatenate": _concatenate,
    "stack": _stack,
    "expand": _expand,
    "tile": _tile,
    "pad": _pad,
    "flip": _flip,
    "roll": _roll,
}
