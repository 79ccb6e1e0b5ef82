"""Helpers of the layer readers: the arrays of a call, its axes, the channels-first layout, and nodes one by one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from ...graph.graph import ArrayReference, ConfigValue, GraphOperand, Spec
from .calls import LayerCall
from .reader import GraphReader, UnreadableError, specs_of


def single_input(call: LayerCall) -> ArrayReference:
    """Return the only array that a layer is called with.

    Raises:
        UnreadableError: there are none, or several, such as a mask.
    """
    values = {name: argument for name, argument in call.arguments.items() if isinstance(argument, ArrayReference)}
    if len(values) != 1:
        raise UnreadableError(f"is called with {' and '.join(values) or 'nothing'}, and only one array is covered")
    return next(iter(values.values()))


def input_list(call: LayerCall) -> list[ArrayReference]:
    """Return the arrays of a layer that is called with a list of them."""
    lists = [argument for argument in call.arguments.values() if isinstance(argument, (list, tuple))]
    if len(lists) != 1 or not all(isinstance(value, ArrayReference) for value in lists[0]):
        raise UnreadableError("is called with something other than one list of arrays")
    return list(lists[0])


def as_operand(reader: GraphReader, call: LayerCall, value: Any, index: int) -> GraphOperand:
    """Return an argument of an operation as an operand: an array reference, or a Python number for a scalar."""
    if isinstance(value, (ArrayReference, bool, int, float)):
        return value
    if isinstance(value, (keras.Variable, str)):
        raise UnreadableError("uses a variable or a string that belongs to no layer")
    array = np.asarray(keras.ops.convert_to_numpy(value))
    return array.item() if array.ndim == 0 else reader.constant(call, array, f"constant_{index}")


def float32_input(reader: GraphReader, call: LayerCall) -> ArrayReference:
    """Return the only array that a layer is called with, cast to float32.

    Raises:
        UnreadableError: the layer does not compute in float32.
    """
    layer = call.operation
    if layer.compute_dtype != "float32" or layer.variable_dtype != "float32":
        raise UnreadableError(f"computes in {layer.compute_dtype}, and only float32 is covered")
    return reader.cast(call, single_input(call), "float32")


def to_tuple(value: Any) -> tuple[ConfigValue, ...]:
    """Convert nested lists of numbers to tuples."""
    return tuple(to_tuple(item) if isinstance(item, (list, tuple)) else item for item in value)


def normalized_axes(axis: Any, rank: int) -> tuple[int, ...]:
    """Return the axes as non-negative numbers in ascending order; None means all."""
    if axis is None:
        return tuple(range(rank))
    return tuple(sorted(int(a) % rank for a in (axis if isinstance(axis, (list, tuple)) else [axis])))


def to_channels_last(reader: GraphReader, call: LayerCall, value: ArrayReference) -> ArrayReference:
    """Return the value in the channels-last layout, transposed if the layer is channels-first."""
    if call.operation.data_format == "channels_last":
        return value
    shape = reader.spec(value).shape
    return transpose(reader, call, value, (0, *range(2, len(shape)), 1), "channels_last")


def restore_layout(reader: GraphReader, call: LayerCall, value: ArrayReference) -> ArrayReference:
    """Return a channels-last value in the layer's own layout."""
    if call.operation.data_format == "channels_last":
        return value
    rank = reader.spec(value).rank
    return transpose(reader, call, value, (0, rank - 1, *range(1, rank - 1)), "channels_first")


def channels_last_spec(call: LayerCall) -> Spec:
    """Return the spec of a layer's output in the channels-last layout."""
    (spec,) = specs_of(call)
    if call.operation.data_format == "channels_last":
        return spec
    batch, channels, *lengths = spec.shape
    return Spec((batch, *lengths, channels), spec.dtype)


def expand_dims(reader: GraphReader, call: LayerCall, value: ArrayReference, axis: int, role: str) -> ArrayReference:
    spec = reader.spec(value)
    outputs = [Spec((*spec.shape[:axis], 1, *spec.shape[axis:]), spec.dtype)]
    return reader.add(call, "expand_dims", [value], config={"axis": (axis,)}, role=role, outputs=outputs)[0]


def transpose(
    reader: GraphReader, call: LayerCall, value: ArrayReference, axes: tuple[int, ...], role: str
) -> ArrayReference:
    spec = reader.spec(value)
    outputs = [Spec(tuple(spec.shape[axis] for axis in axes), spec.dtype)]
    return reader.add(call, "transpose", [value], config={"axes": axes}, role=role, outputs=outputs)[0]


class Steps:
    """Adds the nodes of an operation one by one.

    Args:
        reader: adds them.
        call: of the operation.
    """

    def __init__(self, reader: GraphReader, call: LayerCall) -> None:
        self._reader, self._call = reader, call

    def __call__(
        self,
        kind: str,
        *inputs: ArrayReference | float,
        shape: Sequence[int | None] | None = None,
        role: str | None = None,
        **config: ConfigValue,
    ) -> ArrayReference:
        """Add a node and return its result, which has the dtype of the first input.

        Args:
            shape: of the result; by default that of the first input.
            role: the node's part in the call; by default its kind.
        """
        first = self._reader.spec(next(value for value in inputs if isinstance(value, ArrayReference)))
        outputs = [Spec(first.shape if shape is None else tuple(shape), first.dtype)]
        role = kind if role is None else role
        return self._reader.add(self._call, kind, inputs, config=config, role=role, outputs=outputs)[0]

    def reduced(self, kind: str, value: ArrayReference, axes: tuple[int, ...]) -> ArrayReference:
        """Add a reduction that keeps its axes with length 1."""
        lengths = self._reader.spec(value).shape
        shape = [1 if axis in axes else length for axis, length in enumerate(lengths)]
        return self(kind, value, shape=shape, axis=axes, keepdims=True)

    def without(self, value: ArrayReference, axes: tuple[int, ...]) -> ArrayReference:
        """Remove axes of length 1."""
        lengths = self._reader.spec(value).shape
        shape = [length for axis, length in enumerate(lengths) if axis not in axes]
        return self("squeeze", value, shape=shape, axis=axes)
