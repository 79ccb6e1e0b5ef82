"""Nodes that only rearrange values: reshape, transpose, slice; and the lengths that they use."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from .builder import Builder, Handler, OrderedTensor, UnsupportedNodeError, channels_last, identity_order, insert_axis
from .constant_folding import OPEN, UniformArray, is_open, lengths, slice_ranges
from .foreign_graph import ForeignNode, Weight
from .functions import drop_axes
from .layers import LAYERS
from .weight_parts import split_sizes

# Files write an open end of a slice as a number from here on.
_END = 2**31 - 1


# --- reshaping ------------------------------------------------------------------------------------------------------


def _reshape(builder: Builder, node: ForeignNode) -> Sequence[OrderedTensor]:
    x = builder.model_tensor(node.inputs[0])
    target = list(lengths(node.attributes["shape"]))
    if node.attributes.get("zero_copies"):
        shape = x.shape
        target = [_known(shape[axis]) if length == 0 else length for axis, length in enumerate(target)]
    return [reshape_tensor(builder, x, target)]


def _known(length: int | None) -> Any:
    return OPEN if length is None else length


def reshape_tensor(builder: Builder, x: OrderedTensor, target: Sequence[Any]) -> OrderedTensor:
    """Reshape an array. If every sample keeps its values, use layers, which leave out the batch axis."""
    target, order = _resolve_shape(x.shape, _with_open_batch(builder, x, target)), identity_order(len(target))
    if x.shape[0] is None and target and is_open(target[0]) and _keeps_batch(x.shape[1:], target[1:]):
        if len(target) == 2:
            return flatten_tensor(builder, x)
        return OrderedTensor(keras.layers.Reshape(_lengths(target[1:]))(builder.in_file_order(x)), order)
    if sum(is_open(length) for length in target) > 1:
        raise UnsupportedNodeError(f"a shape of several open lengths: {tuple(target)}")
    return OrderedTensor(keras.ops.reshape(builder.in_file_order(x), _lengths(target)), order)


def _lengths(target: Sequence[Any]) -> tuple[int, ...]:
    return tuple(-1 if is_open(length) else int(length) for length in target)


def _with_open_batch(builder: Builder, x: OrderedTensor, target: Sequence[Any]) -> list[Any]:
    """Return the target with an open batch length, if the file was written for one batch size."""
    target, size = list(target), builder.graph.size
    if size is None or None not in x.shape or any(is_open(length) for length in target if length != -1):
        return target
    if target and (target[0] == size or (size not in target and int(target[0]) % size == 0 and target[0] != -1)):
        return [OPEN, *target[1:]]
    if size in target and -1 not in target:
        place = target.index(size)
        return [*target[:place], OPEN, *target[place + 1 :]]
    return target


def _resolve_shape(shape: Sequence[int | None], target: Sequence[Any]) -> list[Any]:
    """Return the target with -1 resolved, if the batch is another axis and the length is unambiguous."""
    after = list(target)
    left = [place for place, length in enumerate(after) if length is not OPEN and length == -1]
    if len(left) == 1 and after.count(OPEN) == shape.count(None) == 1:
        known = math.prod(length for length in after if not is_open(length))
        whole = math.prod(int(length) for length in shape if length is not None)
        if known and whole % known == 0:
            after[left[0]] = whole // known
    return after


def _keeps_batch(before: Sequence[int | None], after: Sequence[Any]) -> bool:
    """Return whether each sample keeps its number of values."""
    if None in before:
        count = sum(is_open(length) for length in after)
        rest = math.prod(length for length in before if length is not None)
        return before.count(None) == count == 1 and rest == math.prod(n for n in after if not is_open(n))
    if any(is_open(length) for length in after):
        return False
    return bool(math.prod(int(length) for length in before if length is not None) == math.prod(after))


def flatten_tensor(builder: Builder, x: OrderedTensor) -> OrderedTensor:
    """Flatten to (batch, features). An array with channels last stays so, and `features` records the order."""
    if x.rank == 2:
        return x
    if x.order == identity_order(x.rank) or x.order[0] != 0 or None in x.shape[1:]:
        return OrderedTensor(keras.layers.Flatten()(builder.in_file_order(x)), (0, 1))
    shape = [int(length) for length in x.shape[1:] if length is not None]
    places = np.arange(math.prod(shape)).reshape(shape).transpose([axis - 1 for axis in x.order[1:]]).ravel()
    moved = not np.array_equal(places, np.arange(len(places)))
    return OrderedTensor(keras.layers.Flatten()(x.tensor), (0, 1), places if moved else None)


def _flatten(builder: Builder, node: ForeignNode) -> Sequence[OrderedTensor]:
    x = builder.model_tensor(node.inputs[0])
    start, end = (int(node.attributes[name]) % x.rank for name in ("start", "end"))
    if start == 1 and end == x.rank - 1 and x.shape[0] is None:
        return [flatten_tensor(builder, x)]
    shape = [_known(length) for length in x.shape]
    merged = math.prod(shape[start + 1 : end + 1], start=shape[start])
    return [x if start == end else reshape_tensor(builder, x, [*shape[:start], merged, *shape[end + 1 :]])]


def _unflatten(builder: Builder, node: ForeignNode) -> Sequence[OrderedTensor]:
    x = builder.model_tensor(node.inputs[0])
    axis, shape = int(node.attributes["axis"]) % x.rank, [_known(length) for length in x.shape]
    return [reshape_tensor(builder, x, [*shape[:axis], *lengths(node.attributes["sizes"]), *shape[axis + 1 :]])]


def _pixel_shuffle(builder: Builder, node: ForeignNode) -> Sequence[OrderedTensor]:
    """Move channels into space: channel c · r² + i · r + j goes to row i and column j of each square."""
    x, factor = builder.model_tensor(node.inputs[0]), int(node.attributes["factor"])
    _, height, width, channels = builder.with_channels_last(x).shape
    if height is None or width is None:
        raise UnsupportedNodeError("its height or width is not known in advance")
    left = channels // factor**2
    apart = keras.layers.Reshape((height, width, left, factor, factor))(builder.with_channels_last(x))
    woven = keras.layers.Permute((1, 4, 2, 5, 3))(apart)
    return [OrderedTensor(keras.layers.Reshape((height * factor, width * factor, left))(woven), channels_last(4))]


# --- axes -----------------------------------------------------------------------------------------------------------


def _permute(builder: Builder, node: ForeignNode) -> Sequence[OrderedTensor]:
    """Permute the axes without moving data: only the order changes."""
    x = builder.with_file_features(node)
    axes = node.attributes["axes"]
    axes = [int(axis) % x.rank for axis in (reversed(range(x.rank)) if axes is None else axes)]
    return [OrderedTensor(x.tensor, tuple(axes.index(axis) for axis in x.order))]


def _swap(builder: Builder, node: ForeignNode) -> Sequence[OrderedTensor]:
    x = builder.with_file_features(node)
    if x.rank < 2:
        return [x]
    one, other = (int(axis) % x.rank for axis in node.attributes["axes"])
    swapped = {one: other, other: one}
    return [OrderedTensor(x.tensor, tuple(swapped.get(axis, axis) for axis in x.order))]


def _squeeze(builder: Builder, node: ForeignNode) -> Sequence[OrderedTensor]:
    x, axes = builder.with_file_features(node), node.attributes["axes"]
    axes_to_drop = range(x.rank) if axes is None else [int(axis) % x.rank for axis in lengths(axes)]
    gone = [axis for axis in axes_to_drop if x.shape[axis] == 1]
    if not gone:
        return [x]
    places = tuple(sorted(x.order.index(axis) for axis in gone))
    return [OrderedTensor(keras.ops.squeeze(x.tensor, axis=places), drop_axes(x.order, gone))]


def _unsqueeze(builder: Builder, node: ForeignNode) -> Sequence[OrderedTensor]:
    x, axes = builder.with_file_features(node), lengths(node.attributes["axes"])
    tensor, order = x.tensor, x.order
    for axis in sorted(int(axis) % (x.rank + len(axes)) for axis in axes):
        order, place = insert_axis(order, axis)
        tensor = keras.ops.expand_dims(tensor, place)
    return [OrderedTensor(tensor, order)]


# --- cutting --------------------------------------------------------------------------------------------------------


def slice_axis(tensor: Any, place: int, index: Any) -> Any:
    """Return one position, or a slice, along an axis."""
    return tensor[(*(slice(None),) * place, index)]


def _select(builder: Builder, node: ForeignNode) -> Sequence[OrderedTensor]:
    x, axis, index = builder.with_file_features(node), node.attributes["axis"], node.attributes["index"]
    return [_select_index(x, int(axis) % x.rank, int(np.ravel(index)[0]))]


def _select_index(x: OrderedTensor, axis: int, index: int) -> OrderedTensor:
    place = x.axis(axis)
    if place == 0 and x.tensor.shape[0] is None:
        raise UnsupportedNodeError("it picks single samples out of a batch")
    return OrderedTensor(slice_axis(x.tensor, place, index), drop_axes(x.order, (axis,)))


def _slice(builder: Builder, node: ForeignNode) -> Sequence[OrderedTensor]:
    axis, *bounds = (node.attributes[name] for name in ("axis", "start", "stop", "step"))
    return [_slice_tensor(builder.with_file_features(node), int(axis), *bounds)]


def _slices(builder: Builder, node: ForeignNode) -> Sequence[OrderedTensor]:
    x = builder.with_file_features(node)
    for bounds in slice_ranges(node.attributes):
        x = _slice_tensor(x, *bounds)
    return [x]


def _slice_tensor(x: OrderedTensor, axis: int, start: Any, stop: Any, step: Any) -> OrderedTensor:
    place = x.axis(axis)
    if start is OPEN:
        raise UnsupportedNodeError("it starts at a position that is not known in advance")
    start = 0 if start is None else int(start)
    if stop is None or stop is OPEN or int(stop) >= _END:
        stop = None
    length = x.tensor.shape[place]
    if start == 0 and int(step) == 1 and (stop is None or (length is not None and int(stop) >= length)):
        return x
    if (start, int(step)) == (-1, -1) and stop is not None and stop <= -_END:
        return OrderedTensor(keras.ops.flip(x.tensor, axis=place), x.order)
    if (place == 0 and length is None) or int(step) < 1:
        raise UnsupportedNodeError("it picks single samples out of a batch, or goes backwards")
    return OrderedTensor(
        slice_axis(x.tensor, place, slice(start, stop if stop is None else int(stop), int(step))), x.order
    )


def _split(builder: Builder, node: ForeignNode) -> Sequence[OrderedTensor]:
    x = builder.with_file_features(node)
    axis = int(node.attributes["axis"]) % x.rank
    length, place = x.shape[axis], x.axis(axis)
    if length is None:
        raise UnsupportedNodeError("it splits an axis whose length is not known in advance")
    sizes, at, pieces = split_sizes(node, length), 0, []
    for size in sizes:
        pieces.append(OrderedTensor(slice_axis(x.tensor, place, slice(at, at + size)), x.order))
        at += size
    return pieces


def _unbind(builder: Builder, node: ForeignNode) -> Sequence[OrderedTensor]:
    x = builder.with_file_features(node)
    axis = int(node.attributes["axis"]) % x.rank
    length = x.shape[axis]
    if length is None:
        raise UnsupportedNodeError("it unbinds an axis whose length is not known in advance")
    return [_select_index(x, axis, index) for index in range(length)]


def _take(builder: Builder, node: ForeignNode) -> Sequence[OrderedTensor]:
    """Take rows of a weight by an embedding, or known positions of a tensor by an index."""
    axis = int(node.attributes["axis"])
    if not isinstance(builder.operand(node.inputs[0]), OrderedTensor):
        if axis != 0:
            raise UnsupportedNodeError("it takes columns of a weight, and only rows are covered")
        return LAYERS["embedding"](builder, node)
    x = builder.with_file_features(node)
    places = builder.array(node.inputs[1])
    assert places is not None
    if places.ndim == 0:
        return [_select_index(x, axis % x.rank, int(places))]
    if places.ndim != 1 or (x.axis(axis) == 0 and x.tensor.shape[0] is None):
        raise UnsupportedNodeError("it picks single samples out of a batch, or in several axes at once")
    return [OrderedTensor(keras.ops.take(x.tensor, places.astype("int32"), axis=x.axis(axis)), x.order)]


# --- lengths --------------------------------------------------------------------------------------------------------


def _size(builder: Builder, node: ForeignNode) -> Sequence[Any]:
    value, axis = builder.operand(node.inputs[0]), node.attributes["axis"]
    if isinstance(value, (OrderedTensor, UniformArray)):
        shape = [_known(length) for length in value.shape]
    else:
        shape = list(np.shape(value.value if isinstance(value, Weight) else value))
    return [np.array(shape, dtype=object) if axis is None else shape[int(axis)]]


def _same(builder: Builder, node: ForeignNode) -> Sequence[OrderedTensor]:
    return [builder.model_tensor(node.inputs[0])]


SHAPES: dict[str, Handler] = {
    "reshape": _reshape,
    "flatten": _flatten,
    "unflatten": _unflatten,
    "pixel_shuffle": _pixel_shuffle,
    "permute": _permute,
    "swap": _swap,
    "squeeze": _squeeze,
    "unsqueeze": _unsqueeze,
    "select": _select,
    "slice": _slice,
    "slices": _slices,
    "split": _split,
    "unbind": _unbind,
    "take": _take,
    "size": _size,
    "same": _same,
}
