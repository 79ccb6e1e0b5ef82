"""Nodes that sort values, or pick them by indices that the model computes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras

from .builder import Builder, Handler, OrderedTensor, UnsupportedNodeError, identity_order, move_to_end
from .foreign_graph import ForeignNode


def _gather(builder: Builder, node: ForeignNode) -> Sequence[OrderedTensor]:
    """Pick along one axis, for each place of the others by an index of its own."""
    x, places = (builder.model_tensor(each) for each in node.inputs)
    axis = int(node.attributes["axis"]) % x.rank
    if any(x.shape[other] != places.shape[other] for other in range(x.rank) if other != axis):
        raise UnsupportedNodeError("its indices leave out a part of another axis")
    picked = keras.ops.take_along_axis(builder.in_file_order(x), builder.in_file_order(places), axis=axis)
    return [OrderedTensor(picked, identity_order(x.rank))]


def _one_hot(builder: Builder, node: ForeignNode) -> Sequence[OrderedTensor]:
    x, classes = builder.with_file_features(node), int(node.attributes["classes"])
    if classes < 1:
        raise UnsupportedNodeError("its number of classes is not stated")
    codes = keras.ops.one_hot(builder.in_file_order(x), classes, dtype="int32")
    return [OrderedTensor(codes, identity_order(x.rank + 1))]


def _top_k(builder: Builder, node: ForeignNode) -> Sequence[OrderedTensor]:
    order, tensor = _axis_last(builder, node)
    largest = bool(node.attributes["largest"])
    values, places = keras.ops.top_k(tensor if largest else keras.ops.negative(tensor), int(node.attributes["count"]))
    return [OrderedTensor(values if largest else keras.ops.negative(values), order), OrderedTensor(places, order)]


def _sort(builder: Builder, node: ForeignNode) -> Sequence[OrderedTensor]:
    order, tensor = _axis_last(builder, node)
    places = _ranking(tensor, node)
    return [OrderedTensor(keras.ops.take_along_axis(tensor, places, axis=-1), order), OrderedTensor(places, order)]


def _argsort(builder: Builder, node: ForeignNode) -> Sequence[OrderedTensor]:
    order, tensor = _axis_last(builder, node)
    return [OrderedTensor(_ranking(tensor, node), order)]


def _ranking(tensor: Any, node: ForeignNode) -> Any:
    descending = bool(node.attributes["descending"])
    return keras.ops.argsort(keras.ops.negative(tensor) if descending else tensor, axis=-1)


def _axis_last(builder: Builder, node: ForeignNode) -> tuple[tuple[int, ...], Any]:
    """Return an order with the node's axis at the end, and the first input in this order."""
    x = builder.with_file_features(node)
    axis = int(node.attributes["axis"]) % x.rank
    if axis == x.samples:
        raise UnsupportedNodeError("it sorts the samples of a batch")
    order = move_to_end(x.order, [axis])
    return order, builder.in_order(x, order)


def _constant_alone(what: str) -> Handler:
    """Return the handler of a node that is computed for constants alone (see `array_folding.py`)."""

    def handle(builder: Builder, node: ForeignNode) -> Sequence[OrderedTensor]:
        raise UnsupportedNodeError(what)

    return handle


SELECTION: dict[str, Handler] = {
    "gather": _gather,
    "one_hot": _one_hot,
    "top_k": _top_k,
    "sort": _sort,
    "argsort": _argsort,
    "index": _constant_alone("it picks by indices along several axes"),
    "diff": _constant_alone("it takes differences of what the model computes: subtract two slices"),
    "weight_norm": _constant_alone("the weights that it normalizes are computed by the model"),
    "assign": _constant_alone("it writes into a part of an array: build the whole by torch.cat or torch.where"),
}
