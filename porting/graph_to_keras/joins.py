"""What puts arrays together, repeats them, or puts something round them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from .builder import Builder, Handler, Held, RefusedError, inserted, plain_order
from .constant_folding import OPEN, Filled, is_open, lengths
from .foreign_graph import Node, Weight


def _joined(builder: Builder, node: Node) -> tuple[list[Any], tuple[int, ...]]:
    """Tensors of one order; what the model does not compute becomes a weight of it, one that does not train."""
    found = [builder.operand(each) for each in node.inputs]
    held = [each for each in found if isinstance(each, Held)]
    rank = held[0].rank if held else np.asarray(builder.array(node.inputs[0])).ndim
    order, tensors = held[0].order if held else plain_order(rank), []
    for value in found:
        if isinstance(value, Held):
            tensors.append(builder.arranged(value, order))
            continue
        if isinstance(value, Filled):
            raise RefusedError("it joins an array of zeros or ones to another")
        weight = value if isinstance(value, Weight) else Weight("constant", np.asarray(value, "float32"), False)
        tensors.append(builder.parameter(weight, rank, order).tensor)
    return tensors, order


def _concatenate(builder: Builder, node: Node) -> Sequence[Held]:
    tensors, order = _joined(builder, node)
    axis = order.index(int(node.attributes["axis"]) % len(order))
    return [Held(keras.layers.Concatenate(axis=axis)(tensors) if len(tensors) > 1 else tensors[0], order)]


def _stack(builder: Builder, node: Node) -> Sequence[Held]:
    tensors, order = _joined(builder, node)
    order, place = inserted(order, int(node.attributes["axis"]) % (len(order) + 1))
    return [Held(keras.ops.stack(tensors, axis=place), order)]


def _expand(builder: Builder, node: Node) -> Sequence[Held]:
    target = lengths(node.attributes["shape"])
    found = builder.operand(node.inputs[0])
    x = builder.parameter(found, len(target)) if isinstance(found, Weight) else builder.unscrambled(node)
    tensor, order, target = x.tensor, x.order, (1,) * (x.rank - len(target)) + target
    for _ in range(len(target) - x.rank):
        order, place = inserted(order, 0)
        tensor = keras.ops.expand_dims(tensor, place)
    for axis, length in enumerate(target):
        place = order.index(axis)
        if place and not is_open(length) and tensor.shape[place] == 1 and length != 1:
            tensor = keras.ops.repeat(tensor, int(length), axis=place)
        elif place and length is OPEN and tensor.shape[place] == 1:
            raise RefusedError("it repeats an axis to a length that is open")
    return [Held(tensor, order)]


def _tile(builder: Builder, node: Node) -> Sequence[Held]:
    x = builder.unscrambled(node)
    repeats = lengths(node.attributes["repeats"])
    if len(repeats) != x.rank or any(length is OPEN for length in repeats):
        raise RefusedError("it repeats an array along new axes, or as often as there are samples")
    arranged = tuple(int(repeats[axis]) for axis in x.order)
    if arranged[0] != 1:
        raise RefusedError("it repeats samples")
    return [Held(keras.ops.tile(x.tensor, arranged), x.order)]


def _pad(builder: Builder, node: Node) -> Sequence[Held]:
    """Widths as PyTorch has them: (before, after) of the last axis first."""
    x, widths = builder.unscrambled(node), lengths(node.attributes["widths"])
    pairs = [(0, 0)] * x.rank
    for number, at in enumerate(range(0, len(widths), 2)):
        pairs[-1 - number] = (int(widths[at]), int(widths[at + 1]))
    if any(width < 0 for pair in pairs for width in pair):
        raise RefusedError("it pads by less than nothing")
    arranged = tuple(pairs[axis] for axis in x.order)
    mode = node.attributes["mode"]
    options = {"constant_values": float(np.ravel(node.attributes["value"])[0])} if mode == "constant" else {}
    return [Held(keras.ops.pad(x.tensor, arranged, mode=mode, **options), x.order)]


def _flip(builder: Builder, node: Node) -> Sequence[Held]:
    x = builder.unscrambled(node)
    return [Held(keras.ops.flip(x.tensor, axis=tuple(x.axis(axis) for axis in node.attributes["axes"])), x.order)]


def _roll(builder: Builder, node: Node) -> Sequence[Held]:
    x = builder.unscrambled(node)
    axes, shifts = (lengths(node.attributes[name]) for name in ("axes", "shifts"))
    if len(axes) != len(shifts):
        raise RefusedError("it rolls a whole array at once")
    tensor = x.tensor
    for axis, shift in zip(axes, shifts, strict=True):
        tensor = keras.ops.roll(tensor, int(shift), axis=x.axis(int(axis)))
    return [Held(tensor, x.order)]


JOINING: dict[str, Handler] = {
    "concatenate": _concatenate,
    "stack": _stack,
    "expand": _expand,
    "tile": _tile,
    "pad": _pad,
    "flip": _flip,
    "roll": _roll,
}
