"""What each of Keras' layers that join, cut or move arrays becomes in the graph."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...graph.graph import Reference, Value
from .calls import Call
from .reader import Reader, Reading, UnreadableError
from .shared import as_given, channels_last, floats, last_spec, numbers, only_input, several_inputs, transposed

# --- merging --------------------------------------------------------------------------------------------------------


def _merge(kind: str) -> Reader:
    def reader(reading: Reading, call: Call) -> Sequence[Reference]:
        values = [reading.cast(call, value, "float32", f"cast_{i}") for i, value in enumerate(several_inputs(call))]
        ranks = {reading.spec(value).rank for value in values}
        if len(ranks) > 1:
            raise UnreadableError("merges arrays of different rank")
        return reading.add(call, kind, values)

    return reader


def _concatenate(reading: Reading, call: Call) -> Sequence[Reference]:
    values = several_inputs(call)
    return reading.add(call, "concatenate", values, config={"axis": call.operation.axis % reading.spec(values[0]).rank})


def _dot(reading: Reading, call: Call) -> Sequence[Reference]:
    layer = call.operation
    values = several_inputs(call)
    ranks = [reading.spec(value).rank for value in values]
    axes = [layer.axes] * 2 if isinstance(layer.axes, int) else layer.axes
    config: dict[str, Value] = {
        "axes": tuple(axis % rank for axis, rank in zip(axes, ranks, strict=True)),
        "normalize": bool(layer.normalize),
    }
    return reading.add(call, "dot", values, config=config)


# --- shapes ---------------------------------------------------------------------------------------------------------


def _flatten(reading: Reading, call: Call) -> Sequence[Reference]:
    value = only_input(call)
    rank = reading.spec(value).rank
    if call.operation.data_format == "channels_first" and rank > 2:
        value = transposed(reading, call, value, (0, *range(2, rank), 1), "channels_last")
    return reading.add(call, "flatten", [value])


def _reshape(reading: Reading, call: Call) -> Sequence[Reference]:
    shape = (None, *numbers(call.operation.target_shape))
    return reading.add(call, "reshape", [only_input(call)], config={"shape": shape})


def _permute(reading: Reading, call: Call) -> Sequence[Reference]:
    axes = (0, *numbers(call.operation.dims))
    return reading.add(call, "transpose", [only_input(call)], config={"axes": axes})


def _repeat_vector(reading: Reading, call: Call) -> Sequence[Reference]:
    return reading.add(call, "repeat_vector", [only_input(call)], config={"n": int(call.operation.n)})


def _sides(layer: Any, amounts: Any, rank: int) -> tuple[Value, ...]:
    """(before, after) for each axis of a layer that pads or crops the axes between batch and channels."""
    pairs = [tuple(amounts)] if rank == 3 and not isinstance(amounts[0], (list, tuple)) else amounts
    inner = tuple((int(before), int(after)) for before, after in pairs)
    if getattr(layer, "data_format", "channels_last") == "channels_first":
        return ((0, 0), (0, 0), *inner)
    return ((0, 0), *inner, (0, 0))


def _zero_padding(reading: Reading, call: Call) -> Sequence[Reference]:
    layer, value = call.operation, only_input(call)
    width = _sides(layer, layer.padding, reading.spec(value).rank)
    return reading.add(call, "pad", [value], config={"pad_width": width, "value": 0.0})


def _cropping(reading: Reading, call: Call) -> Sequence[Reference]:
    layer, value = call.operation, only_input(call)
    sides = _sides(layer, layer.cropping, reading.spec(value).rank)
    return reading.add(call, "crop", [value], config={"cropping": sides})


def _up_sampling(reading: Reading, call: Call) -> Sequence[Reference]:
    layer = call.operation
    interpolation = getattr(layer, "interpolation", "nearest")
    if interpolation not in ("nearest", "bilinear"):
        raise UnreadableError(f"interpolation {interpolation!r} is not covered")
    size = (layer.size,) if isinstance(layer.size, int) else numbers(layer.size)
    first = getattr(layer, "data_format", "channels_last") == "channels_first"
    value = channels_last(reading, call, floats(reading, call)) if first else floats(reading, call)
    config: dict[str, Value] = {"rank": len(size), "size": size, "interpolation": interpolation}
    outputs = [last_spec(call)] if first else None
    (result,) = reading.add(call, "up_sampling", [value], config=config, outputs=outputs)
    return [as_given(reading, call, result) if first else result]


def _resizing(reading: Reading, call: Call) -> Sequence[Reference]:
    layer = call.operation
    if layer.interpolation not in ("nearest", "bilinear") or layer.antialias:
        raise UnreadableError(f"interpolation {layer.interpolation!r} is not covered")
    if layer.crop_to_aspect_ratio or layer.pad_to_aspect_ratio or layer.data_format != "channels_last":
        raise UnreadableError("crops, pads, or has its channels first")
    config: dict[str, Value] = {
        "height": layer.height, "width": layer.width, "interpolation": layer.interpolation
    }  # fmt: skip
    return reading.add(call, "resize", [floats(reading, call)], config=config)


_RANKS = ("1D", "2D", "3D")
ARRANGING: dict[str, Reader] = {
    **{name: _merge(name.lower()) for name in ("Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum")},
    "Concatenate": _concatenate,
    "Dot": _dot,
    "Flatten": _flatten,
    "Reshape": _reshape,
    "Permute": _permute,
    "RepeatVector": _repeat_vector,
    **{f"ZeroPadding{rank}": _zero_padding for rank in _RANKS},
    **{f"Cropping{rank}": _cropping for rank in _RANKS},
    **{f"UpSampling{rank}": _up_sampling for rank in _RANKS},
    "Resizing": _resizing,
}
