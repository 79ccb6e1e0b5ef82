"""Readers of the Keras layers that merge, slice, pad, reshape or resize arrays."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...graph.graph import ArrayReference, ConfigValue
from .calls import LayerCall
from .reader import GraphReader, LayerReader, UnreadableError
from .shared import (
    channels_last_spec,
    float32_input,
    input_list,
    restore_layout,
    single_input,
    to_channels_last,
    to_tuple,
    transpose,
)

# --- merging --------------------------------------------------------------------------------------------------------


def _merge(kind: str) -> LayerReader:
    def read_call(reader: GraphReader, call: LayerCall) -> Sequence[ArrayReference]:
        values = [reader.cast(call, value, "float32", f"cast_{i}") for i, value in enumerate(input_list(call))]
        ranks = {reader.spec(value).rank for value in values}
        if len(ranks) > 1:
            raise UnreadableError("merges arrays of different rank")
        return reader.add(call, kind, values)

    return read_call


def _concatenate(reader: GraphReader, call: LayerCall) -> Sequence[ArrayReference]:
    values = input_list(call)
    return reader.add(call, "concatenate", values, config={"axis": call.operation.axis % reader.spec(values[0]).rank})


def _dot(reader: GraphReader, call: LayerCall) -> Sequence[ArrayReference]:
    layer = call.operation
    values = input_list(call)
    ranks = [reader.spec(value).rank for value in values]
    axes = [layer.axes] * 2 if isinstance(layer.axes, int) else layer.axes
    config: dict[str, ConfigValue] = {
        "axes": tuple(axis % rank for axis, rank in zip(axes, ranks, strict=True)),
        "normalize": bool(layer.normalize),
    }
    return reader.add(call, "dot", values, config=config)


# --- shapes ---------------------------------------------------------------------------------------------------------


def _flatten(reader: GraphReader, call: LayerCall) -> Sequence[ArrayReference]:
    value = single_input(call)
    rank = reader.spec(value).rank
    if call.operation.data_format == "channels_first" and rank > 2:
        value = transpose(reader, call, value, (0, *range(2, rank), 1), "channels_last")
    return reader.add(call, "flatten", [value])


def _reshape(reader: GraphReader, call: LayerCall) -> Sequence[ArrayReference]:
    shape = (None, *to_tuple(call.operation.target_shape))
    return reader.add(call, "reshape", [single_input(call)], config={"shape": shape})


def _permute(reader: GraphReader, call: LayerCall) -> Sequence[ArrayReference]:
    axes = (0, *to_tuple(call.operation.dims))
    return reader.add(call, "transpose", [single_input(call)], config={"axes": axes})


def _repeat_vector(reader: GraphReader, call: LayerCall) -> Sequence[ArrayReference]:
    return reader.add(call, "repeat_vector", [single_input(call)], config={"n": int(call.operation.n)})


def _before_and_after(layer: Any, amounts: Any, rank: int) -> tuple[ConfigValue, ...]:
    """Return (before, after) for every axis of a layer that pads or crops the axes between batch and channels."""
    pairs = [tuple(amounts)] if rank == 3 and not isinstance(amounts[0], (list, tuple)) else amounts
    inner = tuple((int(before), int(after)) for before, after in pairs)
    if getattr(layer, "data_format", "channels_last") == "channels_first":
        return ((0, 0), (0, 0), *inner)
    return ((0, 0), *inner, (0, 0))


def _zero_padding(reader: GraphReader, call: LayerCall) -> Sequence[ArrayReference]:
    layer, value = call.operation, single_input(call)
    width = _before_and_after(layer, layer.padding, reader.spec(value).rank)
    return reader.add(call, "pad", [value], config={"pad_width": width, "value": 0.0})


def _cropping(reader: GraphReader, call: LayerCall) -> Sequence[ArrayReference]:
    layer, value = call.operation, single_input(call)
    sides = _before_and_after(layer, layer.cropping, reader.spec(value).rank)
    return reader.add(call, "crop", [value], config={"cropping": sides})


def _up_sampling(reader: GraphReader, call: LayerCall) -> Sequence[ArrayReference]:
    layer = call.operation
    interpolation = getattr(layer, "interpolation", "nearest")
    if interpolation not in ("nearest", "bilinear"):
        raise UnreadableError(f"interpolation {interpolation!r} is not covered")
    size = (layer.size,) if isinstance(layer.size, int) else to_tuple(layer.size)
    first = getattr(layer, "data_format", "channels_last") == "channels_first"
    value = to_channels_last(reader, call, float32_input(reader, call)) if first else float32_input(reader, call)
    config: dict[str, ConfigValue] = {"rank": len(size), "size": size, "interpolation": interpolation}
    outputs = [channels_last_spec(call)] if first else None
    (result,) = reader.add(call, "up_sampling", [value], config=config, outputs=outputs)
    return [restore_layout(reader, call, result) if first else result]


def _resizing(reader: GraphReader, call: LayerCall) -> Sequence[ArrayReference]:
    layer = call.operation
    if layer.interpolation not in ("nearest", "bilinear") or layer.antialias:
        raise UnreadableError(f"interpolation {layer.interpolation!r} is not covered")
    if layer.crop_to_aspect_ratio or layer.pad_to_aspect_ratio or layer.data_format != "channels_last":
        raise UnreadableError("crop_to_aspect_ratio, pad_to_aspect_ratio and channels_first are not covered")
    config: dict[str, ConfigValue] = {
        "height": layer.height, "width": layer.width, "interpolation": layer.interpolation
    }  # fmt: skip
    return reader.add(call, "resize", [float32_input(reader, call)], config=config)


_RANKS = ("1D", "2D", "3D")
SHAPE_LAYERS: dict[str, LayerReader] = {
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
