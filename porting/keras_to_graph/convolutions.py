"""Readers of the convolutions of `keras.ops`, whose kernel is an array: a weight of an own layer, or computed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras

from ...graph.graph import ArrayReference, ConfigValue, Spec
from .calls import LayerCall
from .reader import GraphReader, UnreadableError, specs_of
from .shared import as_operand, to_tuple


def _conv(reader: GraphReader, call: LayerCall) -> Sequence[ArrayReference]:
    value, kernel = _arrays(reader, call)
    return reader.add(call, "convolve", [value, kernel], config=_window(reader, call, value))


def _depthwise_conv(reader: GraphReader, call: LayerCall) -> Sequence[ArrayReference]:
    value, kernel = _arrays(reader, call)
    return reader.add(call, "convolve_depthwise", [value, kernel], config=_window(reader, call, value))


def _separable_conv(reader: GraphReader, call: LayerCall) -> Sequence[ArrayReference]:
    value, depthwise, pointwise = _arrays(reader, call)
    (spec,), inside = specs_of(call), reader.spec(pointwise).shape[-2]
    (value,) = reader.add(
        *(call, "convolve_depthwise", [value, depthwise]),
        config=_window(reader, call, value),
        role="depthwise",
        outputs=[Spec((*spec.shape[:-1], inside), spec.dtype)],
    )
    rank = spec.rank - 2
    ones = (1,) * rank
    config: dict[str, ConfigValue] = {"rank": rank, "strides": ones, "padding": "valid", "dilation": ones}
    return reader.add(call, "convolve", [value, pointwise], config=config, role="pointwise")


def _conv_transpose(reader: GraphReader, call: LayerCall) -> Sequence[ArrayReference]:
    value, kernel = _arrays(reader, call)
    window, extra = _window(reader, call, value), call.operation.output_padding
    config = {**window, "output_padding": None if extra is None else _per_axis(extra, reader.spec(value).rank - 2)}
    return reader.add(call, "convolve_transposed", [value, kernel], config=config)


def _arrays(reader: GraphReader, call: LayerCall) -> list[ArrayReference]:
    """Return what is convolved, and its kernels, in the dtype of the result."""
    if (call.operation.data_format or keras.config.image_data_format()) != "channels_last":
        raise UnreadableError("convolves with its channels first, which is not covered: transpose them to the end")
    dtype = specs_of(call)[0].dtype
    operands = [as_operand(reader, call, value, index) for index, value in enumerate(call.arguments.values())]
    return [reader.cast(call, each, dtype, f"cast_{index}") for index, each in enumerate(operands)]


def _window(reader: GraphReader, call: LayerCall, value: ArrayReference) -> dict[str, ConfigValue]:
    operation, rank = call.operation, reader.spec(value).rank - 2
    return {
        "rank": rank,
        "strides": _per_axis(operation.strides, rank),
        "padding": operation.padding,
        "dilation": _per_axis(operation.dilation_rate, rank),
    }


def _per_axis(value: Any, rank: int) -> tuple[ConfigValue, ...]:
    return (value,) * rank if isinstance(value, int) else to_tuple(value)


CONVOLUTIONS = {
    "Conv": _conv,
    "DepthwiseConv": _depthwise_conv,
    "SeparableConv": _separable_conv,
    "ConvTranspose": _conv_transpose,
}
