"""What the readers of layers share: the arrays of a call, its axes, and channels that come first."""

from __future__ import annotations

from typing import Any

from ...graph.graph import Reference, Spec, Value
from .calls import Call
from .reader import Reading, UnreadableError, specs_of


def only_input(call: Call) -> Reference:
    """The one array that a layer takes.

    Raises:
        UnreadableError: it is given more, such as a mask.
    """
    values = {name: argument for name, argument in call.arguments.items() if isinstance(argument, Reference)}
    if len(values) != 1:
        raise UnreadableError(f"is called with {' and '.join(values) or 'nothing'}, and only one array is covered")
    return next(iter(values.values()))


def several_inputs(call: Call) -> list[Reference]:
    """The arrays of a layer that takes a list of them."""
    found = [argument for argument in call.arguments.values() if isinstance(argument, (list, tuple))]
    if len(found) != 1 or not all(isinstance(value, Reference) for value in found[0]):
        raise UnreadableError("is called with something other than one list of arrays")
    return list(found[0])


def floats(reading: Reading, call: Call) -> Reference:
    """The one array that a layer takes, as what the layer computes in.

    Raises:
        UnreadableError: that is not float32.
    """
    layer = call.operation
    if layer.compute_dtype != "float32" or layer.variable_dtype != "float32":
        raise UnreadableError(f"computes in {layer.compute_dtype}, and only float32 is covered")
    return reading.cast(call, only_input(call), "float32")


def numbers(value: Any) -> tuple[Value, ...]:
    """A nest of integers or floats as tuples."""
    return tuple(numbers(item) if isinstance(item, (list, tuple)) else item for item in value)


def axes_of(axis: Any, rank: int) -> tuple[int, ...]:
    """Axes counted from 0, ascending; all of them for None."""
    if axis is None:
        return tuple(range(rank))
    return tuple(sorted(int(a) % rank for a in (axis if isinstance(axis, (list, tuple)) else [axis])))


def channels_last(reading: Reading, call: Call, value: Reference) -> Reference:
    """The value with its channels last; of a layer that has them first, moved there."""
    if call.operation.data_format == "channels_last":
        return value
    shape = reading.spec(value).shape
    return transposed(reading, call, value, (0, *range(2, len(shape)), 1), "channels_last")


def as_given(reading: Reading, call: Call, value: Reference) -> Reference:
    """The value with its channels where the layer has them."""
    if call.operation.data_format == "channels_last":
        return value
    rank = reading.spec(value).rank
    return transposed(reading, call, value, (0, rank - 1, *range(1, rank - 1)), "channels_first")


def last_spec(call: Call) -> Spec:
    """The spec of a layer's output with its channels last."""
    (spec,) = specs_of(call)
    if call.operation.data_format == "channels_last":
        return spec
    batch, channels, *lengths = spec.shape
    return Spec((batch, *lengths, channels), spec.dtype)


def transposed(reading: Reading, call: Call, value: Reference, axes: tuple[int, ...], role: str) -> Reference:
    spec = reading.spec(value)
    outputs = [Spec(tuple(spec.shape[axis] for axis in axes), spec.dtype)]
    return reading.add(call, "transpose", [value], config={"axes": axes}, role=role, outputs=outputs)[0]
