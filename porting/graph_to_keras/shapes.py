"""What only moves values about: reshaping, turning, cutting; and the lengths that these are told."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from .builder import Builder, Handler, Held, RefusedError, channels_last, inserted, plain_order
from .constant_folding import OPEN, Filled, is_open, lengths, slices_of
from .foreign_graph import Node, Weight
from .functions import without
from .layers import LAYERS

# A slice to its end is written with this, or a little less.
_END = 2**31 - 1


# --- reshaping ------------------------------------------------------------------------------------------------------


def _reshape(builder: Builder, node: Node) -> Sequence[Held]:
    x = builder.held(node.inputs[0])
    target = list(lengths(node.attributes["shape"]))
    if node.attributes.get("zero_copies"):
        shape = x.shape
        target = [_known(shape[axis]) if length == 0 else length for axis, length in enumerate(target)]
    return [reshaped(builder, x, target)]


def _known(length: int | None) -> Any:
    return OPEN if length is None else length


def reshaped(builder: Builder, x: Held, target: Sequence[Any]) -> Held:
    """An array in another shape; where its samples stay what they are, by layers that leave them out."""
    target, order = _resolved(x.shape, _with_samples(builder, x, target)), plain_order(len(target))
    if x.shape[0] is None and target and is_open(target[0]) and _keeps_samples(x.shape[1:], target[1:]):
        if len(target) == 2:
            return flattened(builder, x)
        return Held(keras.layers.Reshape(_lengths(target[1:]))(builder.plain(x)), order)
    if sum(is_open(length) for length in target) > 1:
        raise RefusedError(f"a shape of several open lengths: {tuple(target)}")
    return Held(keras.ops.reshape(builder.plain(x), _lengths(target)), order)


def _lengths(target: Sequence[Any]) -> tuple[int, ...]:
    return tuple(-1 if is_open(length) else int(length) for length in target)


def _with_samples(builder: Builder, x: Held, target: Sequence[Any]) -> list[Any]:
    """The target with the length of the samples open, where the file was written for one number of them."""
    target, size = list(target), builder.form.size
    if size is None or None not in x.shape or any(is_open(length) for length in target if length != -1):
        return target
    if target and (target[0] == size or (size not in target and int(target[0]) % size == 0 and target[0] != -1)):
        return [OPEN, *target[1:]]
    if size in target and -1 not in target:
        place = target.index(size)
        return [*target[:place], OPEN, *target[place + 1 :]]
    return target


def _resolved(shape: Sequence[int | None], target: Sequence[Any]) -> list[Any]:
    """The target with a -1 worked out, where another length is that of the samples and the rest leaves no doubt."""
    after = list(target)
    left = [place for place, length in enumerate(after) if length is not OPEN and length == -1]
    if len(left) == 1 and after.count(OPEN) == shape.count(None) == 1:
        known = math.prod(length for length in after if not is_open(length))
        whole = math.prod(int(length) for length in shape if length is not None)
        if known and whole % known == 0:
            after[left[0]] = whole // known
    return after


def _keeps_samples(before: Sequence[int | None], after: Sequence[Any]) -> bool:
    """Whether each sample has as many values as before."""
    if None in before:
        count = sum(is_open(length) for length in after)
        rest = math.prod(length for length in before if length is not None)
        return before.count(None) == count == 1 and rest == math.prod(n for n in after if not is_open(n))
    if any(is_open(length) for length in after):
        return False
    return bool(math.prod(int(length) for length in before if length is not None) == math.prod(after))


def flattened(builder: Builder, x: Held) -> Held:
    """(batch, everything). With its channels last it stays so, and who takes it is told which feature is where."""
    if x.rank == 2:
        return x
    if x.order == plain_order(x.rank) or x.order[0] != 0 or None in x.shape[1:]:
        return Held(keras.layers.Flatten()(builder.plain(x)), (0, 1))
    shape = [int(length) for length in x.shape[1:] if length is not None]
    places = np.arange(math.prod(shape)).reshape(shape).transpose([axis - 1 for axis in x.order[1:]]).ravel()
    moved = not np.array_equal(places, np.arange(len(places)))
    return Held(keras.layers.Flatten()(x.tensor), (0, 1), places if moved else None)


def _flatten(builder: Builder, node: Node) -> Sequence[Held]:
    x = builder.held(node.inputs[0])
    start, end = (int(node.attributes[name]) % x.rank for name in ("start", "end"))
    if start == 1 and end == x.rank - 1 and x.shape[0] is None:
        return [flattened(builder, x)]
    shape = [_known(length) for length in x.shape]
    merged = math.prod(shape[start + 1 : end + 1], start=shape[start])
    return [x if start == end else reshaped(builder, x, [*shape[:start], merged, *shape[end + 1 :]])]


def _unflatten(builder: Builder, node: Node) -> Sequence[Held]:
    x = builder.held(node.inputs[0])
    axis, shape = int(node.attributes["axis"]) % x.rank, [_known(length) for length in x.shape]
    return [reshaped(builder, x, [*shape[:axis], *lengths(node.attributes["sizes"]), *shape[axis + 1 :]])]


def _pixel_shuffle(builder: Builder, node: Node) -> Sequence[Held]:
    """Channels into space: channel c · r² + i · r + j goes to row i and column j of each square."""
    x, factor = builder.held(node.inputs[0]), int(node.attributes["factor"])
    _, height, width, channels = builder.last(x).shape
    if height is None or width is None:
        raise RefusedError("its lengths are open")
    left = channels // factor**2
    apart = keras.layers.Reshape((height, width, left, factor, factor))(builder.last(x))
    woven = keras.layers.Permute((1, 4, 2, 5, 3))(apart)
    return [Held(keras.layers.Reshape((height * factor, width * factor, left))(woven), channels_last(4))]


# --- axes -----------------------------------------------------------------------------------------------------------


def _permute(builder: Builder, node: Node) -> Sequence[Held]:
    """Nothing moves: only what the axes are called does."""
    x = builder.unscrambled(node)
    axes = node.attributes["axes"]
    axes = [int(axis) % x.rank for axis in (reversed(range(x.rank)) if axes is None else axes)]
    return [Held(x.tensor, tuple(axes.index(axis) for axis in x.order))]


def _swap(builder: Builder, node: Node) -> Sequence[Held]:
    x = builder.unscrambled(node)
    if x.rank < 2:
        return [x]
    one, other = (int(axis) % x.rank for axis in node.attributes["axes"])
    swapped = {one: other, other: one}
    return [Held(x.tensor, tuple(swapped.get(axis, axis) for axis in x.order))]


def _squeeze(builder: Builder, node: Node) -> Sequence[Held]:
    x, axes = builder.unscrambled(node), node.attributes["axes"]
    asked = range(x.rank) if axes is None else [int(axis) % x.rank for axis in lengths(axes)]
    gone = [axis for axis in asked if x.shape[axis] == 1]
    if not gone:
        return [x]
    places = tuple(sorted(x.order.index(axis) for axis in gone))
    return [Held(keras.ops.squeeze(x.tensor, axis=places), without(x.order, gone))]


def _unsqueeze(builder: Builder, node: Node) -> Sequence[Held]:
    x, axes = builder.unscrambled(node), lengths(node.attributes["axes"])
    tensor, order = x.tensor, x.order
    for axis in sorted(int(axis) % (x.rank + len(axes)) for axis in axes):
        order, place = inserted(order, axis)
        tensor = keras.ops.expand_dims(tensor, place)
    return [Held(tensor, order)]


# --- cutting --------------------------------------------------------------------------------------------------------


def cut(tensor: Any, place: int, index: Any) -> Any:
    """One place, or a slice, along an axis."""
    return tensor[(*(slice(None),) * place, index)]


def _select(builder: Builder, node: Node) -> Sequence[Held]:
    x, axis, index = builder.unscrambled(node), node.attributes["axis"], node.attributes["index"]
    return [_selected(x, int(axis) % x.rank, int(np.ravel(index)[0]))]


def _selected(x: Held, axis: int, index: int) -> Held:
    place = x.axis(axis)
    if place == 0 and x.tensor.shape[0] is None:
        raise RefusedError("it picks single samples out of a batch")
    return Held(cut(x.tensor, place, index), without(x.order, (axis,)))


def _slice(builder: Builder, node: Node) -> Sequence[Held]:
    axis, *cut_at = (node.attributes[name] for name in ("axis", "start", "stop", "step"))
    return [_sliced(builder.unscrambled(node), int(axis), *cut_at)]


def _slices(builder: Builder, node: Node) -> Sequence[Held]:
    x = builder.unscrambled(node)
    for cut_at in slices_of(node.attributes):
        x = _sliced(x, *cut_at)
    return [x]


def _sliced(x: Held, axis: int, start: Any, stop: Any, step: Any) -> Held:
    place = x.axis(axis)
    if start is OPEN:
        raise RefusedError("it starts at a place that is open")
    start = 0 if start is None else int(start)
    if stop is None or stop is OPEN or int(stop) >= _END:
        stop = None
    length = x.tensor.shape[place]
    if start == 0 and int(step) == 1 and (stop is None or (length is not None and int(stop) >= length)):
        return x
    if (start, int(step)) == (-1, -1) and stop is not None and stop <= -_END:
        return Held(keras.ops.flip(x.tensor, axis=place), x.order)
    if (place == 0 and length is None) or int(step) < 1:
        raise RefusedError("it picks single samples out of a batch, or goes backwards")
    return Held(cut(x.tensor, place, slice(start, stop if stop is None else int(stop), int(step))), x.order)


def _split(builder: Builder, node: Node) -> Sequence[Held]:
    x = builder.unscrambled(node)
    axis = int(node.attributes["axis"]) % x.rank
    length, place = x.shape[axis], x.axis(axis)
    if length is None:
        raise RefusedError("it splits an axis whose length is open")
    sizes, at, made = _parts(node, length), 0, []
    for size in sizes:
        made.append(Held(cut(x.tensor, place, slice(at, at + size)), x.order))
        at += size
    return made


def _parts(node: Node, length: int) -> list[int]:
    sizes = node.attributes.get("sizes")
    if sizes is not None and np.size(sizes) > 1:
        return [int(size) for size in lengths(sizes)]
    each = -(-length // int(node.attributes["parts"])) if sizes is None else int(np.ravel(sizes)[0])
    return [min(each, length - at) for at in range(0, length, each)]


def _unbind(builder: Builder, node: Node) -> Sequence[Held]:
    x = builder.unscrambled(node)
    axis = int(node.attributes["axis"]) % x.rank
    length = x.shape[axis]
    if length is None:
        raise RefusedError("it takes apart an axis whose length is open")
    return [_selected(x, axis, index) for index in range(length)]


def _take(builder: Builder, node: Node) -> Sequence[Held]:
    """Rows of a table of weights are an embedding; of an array, the places that are known beforehand."""
    axis = int(node.attributes["axis"])
    if not isinstance(builder.operand(node.inputs[0]), Held):
        if axis != 0:
            raise RefusedError("columns of a table")
        return LAYERS["embedding"](builder, node)
    x = builder.unscrambled(node)
    places = builder.array(node.inputs[1])
    assert places is not None
    if places.ndim == 0:
        return [_selected(x, axis % x.rank, int(places))]
    if places.ndim != 1 or (x.axis(axis) == 0 and x.tensor.shape[0] is None):
        raise RefusedError("it picks single samples out of a batch, or in several axes at once")
    return [Held(keras.ops.take(x.tensor, places.astype("int32"), axis=x.axis(axis)), x.order)]


# --- lengths --------------------------------------------------------------------------------------------------------


def _size(builder: Builder, node: Node) -> Sequence[Any]:
    value, axis = builder.operand(node.inputs[0]), node.attributes["axis"]
    if isinstance(value, (Held, Filled)):
        shape = [_known(length) for length in value.shape]
    else:
        shape = list(np.shape(value.value if isinstance(value, Weight) else value))
    return [np.array(shape, dtype=object) if axis is None else shape[int(axis)]]


def _same(builder: Builder, node: Node) -> Sequence[Held]:
    return [builder.held(node.inputs[0])]


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
