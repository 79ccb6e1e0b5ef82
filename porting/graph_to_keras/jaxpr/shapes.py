"""Translations of JAX's primitives that only rearrange values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ....backends.traced_program import Shape, TracedEquation, TracedValue
from ..foreign_graph import Weight
from .arithmetic import alias
from .translator import JaxArray, Translation, Translator


def _broadcast_in_dim(translator: Translator, equation: TracedEquation) -> None:
    """Add axes; how often their one position is repeated is left to the operations that follow."""
    value, axes = equation.inputs[0], equation.settings["broadcast_dimensions"]
    array, rank = translator.ranked(value), equation.outputs[0].rank
    if array.is_number or rank == value.rank:
        translator.bind(array)
        return
    places = dict(zip(axes, array.shape, strict=True))
    shape = tuple(places.get(axis, 1) for axis in range(rank))
    weight = translator.weight(array)
    if weight is not None:
        translator.bind(translator.reshaped(array, shape))
        return
    new = tuple(axis for axis in range(rank) if axis not in axes)
    translator.bind(translator.emit("unsqueeze", [array.operand], shape, axes=new))


def _reshape(translator: Translator, equation: TracedEquation) -> None:
    value, shape = equation.inputs[0], equation.outputs[0].shape
    array = translator.ranked(value)
    if not array.is_number and array.shape != value.shape:
        small = _with_other_ones(value.shape, array.shape, shape)
        array, shape = (translator.full(value), shape) if small is None else (array, small)
    translator.bind(translator.reshaped(array, shape))


def _with_other_ones(before: Shape, small: Shape, after: Shape) -> Shape | None:
    """Return the smaller shape after a reshape that only adds and drops axes of length 1; None for another reshape."""
    lengths = [n for n in before if n != 1]
    if lengths != [n for n in after if n != 1]:
        return None
    real = iter([small[axis] for axis, n in enumerate(before) if n != 1])
    return tuple(1 if n == 1 else next(real) for n in after)


def _transpose(translator: Translator, equation: TracedEquation) -> None:
    array = translator.ranked(equation.inputs[0])
    translator.bind(array if array.is_number else translator.permuted(array, equation.settings["permutation"]))


def _squeeze(translator: Translator, equation: TracedEquation) -> None:
    array, axes = translator.ranked(equation.inputs[0]), equation.settings["dimensions"]
    shape = tuple(length for axis, length in enumerate(array.shape) if axis not in axes)
    if array.is_number or translator.weight(array) is not None:
        translator.bind(translator.reshaped(array, shape))
    else:
        translator.bind(translator.emit("squeeze", [array.operand], shape, axes=tuple(axes)))


# --- cutting --------------------------------------------------------------------------------------------------------


def cut(
    translator: Translator, value: TracedValue, starts: Sequence[Any], stops: Sequence[Any], steps: Sequence[int]
) -> JaxArray:
    """Return a part of an array. An axis with one position that stands for all keeps it."""
    array = translator.ranked(value)
    if array.is_number:
        return array
    bounds = [
        (axis, start, stop, step)
        for axis, (start, stop, step) in enumerate(zip(starts, stops, steps, strict=True))
        if (start, stop, step) != (0, value.shape[axis], 1) and array.shape[axis] == value.shape[axis]
    ]
    shape = list(array.shape)
    for axis, start, stop, step in bounds:
        if value.shape[axis] is None or start is None or stop is None:
            raise translator.refusal("it picks single samples out of a batch")
        shape[axis] = len(range(start, stop, step))
    weight = translator.weight(array)
    if not bounds:
        return array
    if weight is not None:
        places = [slice(None)] * len(shape)
        for axis, start, stop, step in bounds:
            places[axis] = slice(start, stop, step)
        part = "_".join(str(start) if stop == start + 1 else f"{start}_{stop}" for _, start, stop, _ in bounds)
        return translator.rearranged(array, lambda stored: stored[tuple(places)], part)
    axes, begins, ends, strides = zip(*bounds, strict=True)
    return translator.emit("slices", [array.operand], tuple(shape), axes=axes, starts=begins, stops=ends, steps=strides)


def _slice(translator: Translator, equation: TracedEquation) -> None:
    settings, value = equation.settings, equation.inputs[0]
    steps = settings["strides"] or (1,) * value.rank
    translator.bind(cut(translator, value, settings["start_indices"], settings["limit_indices"], steps))


def _dynamic_slice(translator: Translator, equation: TracedEquation) -> None:
    value, *places = equation.inputs
    starts = [int(translator.known(place, "its position")) for place in places]
    sizes = equation.settings["slice_sizes"]
    # JAX moves a slice that reaches over the end.
    starts = [
        0 if n is None or size is None else max(min(start, n - size), 0)
        for start, size, n in zip(starts, sizes, value.shape, strict=True)
    ]
    stops = [None if size is None else start + size for start, size in zip(starts, sizes, strict=True)]
    translator.bind(cut(translator, value, starts, stops, (1,) * value.rank))


def _position(translator: Translator, equation: TracedEquation) -> None:
    """Translate one position along the first axis, as a loop reads it."""
    value, index = equation.inputs[0], equation.settings["index"]
    stops = (index + 1, *value.shape[1:])
    part = cut(translator, value, (index, *(0,) * (value.rank - 1)), stops, (1,) * value.rank)
    if part.is_number or translator.weight(part) is not None:
        translator.bind(translator.reshaped(part, part.shape[1:]))
    else:
        translator.bind(translator.emit("squeeze", [part.operand], part.shape[1:], axes=(0,)))


def _split(translator: Translator, equation: TracedEquation) -> None:
    (value,), axis, start = equation.inputs, equation.settings["axis"], 0
    for index, size in enumerate(equation.settings["sizes"]):
        starts = [start if each == axis else 0 for each in range(value.rank)]
        stops = [start + size if each == axis else length for each, length in enumerate(value.shape)]
        translator.bind(cut(translator, value, starts, stops, (1,) * value.rank), index)
        start += size


# --- joining --------------------------------------------------------------------------------------------------------


def _join(kind: str, axis: str) -> Translation:
    def translate(translator: Translator, equation: TracedEquation) -> None:
        arrays = [translator.full(value).operand for value in equation.inputs]
        translator.bind(translator.emit(kind, arrays, equation.outputs[0].shape, axis=equation.settings[axis]))

    return translate


def _tile(translator: Translator, equation: TracedEquation) -> None:
    value, repeats = equation.inputs[0], tuple(equation.settings["reps"])
    array = translator.array(value)
    small = (1,) * (value.rank - len(array.shape)) + array.shape
    if array.is_number or all(n == 1 for n, repeat in zip(small, repeats, strict=True) if repeat != 1):
        translator.bind(array)
    elif any(repeat is None for repeat in repeats):
        raise translator.refusal("it repeats an array once per sample: use jnp.broadcast_to")
    else:
        operand = translator.full(value).operand
        translator.bind(translator.emit("tile", [operand], equation.outputs[0].shape, repeats=repeats))


def _pad(translator: Translator, equation: TracedEquation) -> None:
    value, fill = equation.inputs
    content, widths = translator.number(fill), equation.settings["padding_config"]
    if content is None:
        raise translator.refusal("it pads by a value that is computed by the network")
    if any(between for _, _, between in widths):
        raise translator.refusal("it pads between the values")
    if any(low < 0 or high < 0 for low, high, _ in widths):
        raise translator.refusal("it pads by a negative width")
    listed = tuple(width for low, high, _ in reversed(widths) for width in (low, high))  # the last axis first
    operand = translator.full(value).operand
    shape = equation.outputs[0].shape
    translator.bind(translator.emit("pad", [operand], shape, widths=listed, mode="constant", value=content))


def _flip(translator: Translator, equation: TracedEquation) -> None:
    array = translator.full(equation.inputs[0])
    axes = tuple(equation.settings["dimensions"])
    if any(array.shape[axis] is None for axis in axes):
        raise translator.refusal("it reverses the samples of a batch")
    translator.bind(translator.emit("flip", [array.operand], array.shape, axes=axes))


# --- gathering ------------------------------------------------------------------------------------------------------


def _gather(translator: Translator, equation: TracedEquation) -> None:
    """Translate a lookup along one axis: rows of a table, or fixed positions of an array."""
    (value, places), numbers = equation.inputs, equation.settings["dimension_numbers"]
    sizes, mapped = equation.settings["slice_sizes"], numbers["start_index_map"]
    if numbers["operand_batching_dims"] or len(mapped) != 1 or numbers["collapsed_slice_dims"] != mapped:
        raise translator.refusal("it gathers along several axes at once, or other positions for each sample")
    (axis,), extra = mapped, places.rank - 1
    others = [each for each in range(value.rank) if each != axis]
    if any(sizes[each] != value.shape[each] for each in others):
        raise translator.refusal("it gathers parts of rows")
    if tuple(numbers["offset_dims"]) != tuple(each if each < axis else each - 1 + extra for each in others):
        raise translator.refusal("it gathers into another order of axes")
    if translator.is_known(places):
        _take(translator, equation, axis)
    else:
        _look_up(translator, equation, axis)


def _take(translator: Translator, equation: TracedEquation, axis: int) -> None:
    value, places = equation.inputs
    length = value.shape[axis]
    where = translator.known(places, "its position")[..., 0]
    if length is None or where.ndim > 1 or (where < 0).any() or (where >= length).any():
        raise translator.refusal(f"it gathers positions of {where.ndim} axes along an axis of length {length}")
    array = translator.full(value)
    if translator.weight(array) is not None:
        translator.bind(translator.rearranged(array, lambda stored: stored.take(where, axis=axis), "rows"))
        return
    indices = translator.new_weight(_indices(where))
    shape = equation.outputs[0].shape
    translator.bind(translator.emit("take", [array.operand, indices.operand], shape, axis=axis))


def _indices(places: np.ndarray) -> Weight:
    return Weight("constant", places.astype("int32"), False)


def _look_up(translator: Translator, equation: TracedEquation, axis: int) -> None:
    """Translate rows of a table whose numbers the network computes into an embedding."""
    value, places = equation.inputs
    table, weight = translator.full(value), translator.weight(translator.full(value))
    if None in value.shape or axis != 0 or value.dtype != "float32":
        raise translator.refusal("it gathers at positions that the network computes, and not rows of a table of floats")
    indices = translator.full(_before_last_axis(translator, places))
    if indices.shape == places.shape:
        indices = translator.emit("squeeze", [indices.operand], places.shape[:-1], axes=(places.rank - 1,))
    if weight is None:
        shape = equation.outputs[0].shape
        translator.bind(translator.emit("lookup", [table.operand, indices.operand], shape))
        return
    rows = weight.value.shape[0]
    flat = translator.reshaped(table, (rows, weight.value.size // rows))
    shape = (*indices.shape, weight.value.size // rows)
    embedded = translator.emit("embedding", [flat.operand, indices.operand], shape)
    translator.bind(translator.reshaped(embedded, equation.outputs[0].shape))


def _before_last_axis(translator: Translator, places: TracedValue) -> TracedValue:
    """Return indices before an axis of length 1 was added to them for `gather`, if an equation did that."""
    producer = translator.producer(places)
    is_reshape = producer is not None and producer.primitive in ("broadcast_in_dim", "reshape")
    if producer is not None and is_reshape and producer.inputs[0].shape == places.shape[:-1]:
        return producer.inputs[0]
    return places


SHAPES: dict[str, Translation] = {
    "broadcast_in_dim": _broadcast_in_dim,
    "reshape": _reshape,
    "transpose": _transpose,
    "squeeze": _squeeze,
    "slice": _slice,
    "dynamic_slice": _dynamic_slice,
    "position": _position,
    "split": _split,
    "concatenate": _join("concatenate", "dimension"),
    "stack": _join("stack", "axis"),
    "tile": _tile,
    "pad": _pad,
    "rev": _flip,
    "gather": _gather,
    **dict.fromkeys(("copy", "device_put", "optimization_barrier", "sharding_constraint"), alias),
}
