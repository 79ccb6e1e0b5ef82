"""Handlers of convolutions whose kernel is an array: calls of PyTorch's functions, with channels first.

What convolutions that are layers write in the same way is here too.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ....graph.graph import GraphNode
from ....graph.writing.layout import literal, scalar_or_tuple
from ....graph.writing.windows import conv_transpose_crops
from .padding import Padding, same_padding, widths, window_span
from .values import Value, channels_first
from .writer import TorchWriter


def _convolve(writer: TorchWriter, node: GraphNode) -> Sequence[Value]:
    rank = writer.spec(node).rank - 2
    kernel = writer.input(node, (rank + 1, rank, *range(rank)), 1).text
    return [_call(writer, node, kernel, groups=1)]


def _convolve_depthwise(writer: TorchWriter, node: GraphNode) -> Sequence[Value]:
    """Write a convolution of each channel by itself: PyTorch has the filters of all of them along one axis."""
    *window, channels, multiplier = writer.spec(node, 1).shape
    rank = len(window)
    kernel = writer.input(node, (rank, rank + 1, *range(rank)), 1).text
    if multiplier != 1:
        kernel += ".flatten(0, 1).unsqueeze(1)"
    return [_call(writer, node, kernel, groups=int(channels or 0))]


def _call(writer: TorchWriter, node: GraphNode, kernel: str, groups: int) -> Value:
    config: Any = node.config
    rank, strides = config["rank"], config["strides"]
    lengths, span = writer.spec(node).shape[1:-1], window_span(_window(writer, node), config["dilation"])
    padding = same_padding(lengths, span, strides) if config["padding"] == "same" else Padding.none(rank)
    order = channels_first(rank + 2)
    text, inside = writer.input(node, order).text, "0"
    if padding.known and padding.symmetric:
        inside = scalar_or_tuple(padding.before)
    elif set(strides) == {1}:
        inside = '"same"'
    else:
        text = padded(writer, text, padding, span, strides)
    options = convolution_options(writer, config, inside, groups)
    return Value(f"F.conv{rank}d({', '.join([text, kernel, *options])})", order)


def padded(writer: TorchWriter, text: str, padding: Padding, span: Sequence[int], strides: Sequence[int]) -> str:
    """Return an array that is padded before its convolution, where the convolution cannot do it."""
    if padding.known:
        return f"F.pad({text}, {literal(padding.pad_argument())})"
    return f"{writer.helper('same_padding')}({text}, {literal(span)}, {literal(strides)})"


def convolution_options(writer: TorchWriter, config: Any, padding: str, groups: int) -> list[str]:
    """Return the options of a convolution that are not PyTorch's defaults."""
    return writer.options(
        {
            "stride": (scalar_or_tuple(config["strides"]), "1"),
            "padding": (padding, "0"),
            "dilation": (scalar_or_tuple(config["dilation"]), "1"),
            "groups": (str(groups), "1"),
        }
    )


def _convolve_transposed(writer: TorchWriter, node: GraphNode) -> Sequence[Value]:
    config: Any = node.config
    rank = config["rank"]
    order = channels_first(rank + 2)
    kernel = writer.input(node, (rank + 1, rank, *range(rank)), 1).text
    options = writer.options(
        {
            "stride": (scalar_or_tuple(config["strides"]), "1"),
            "dilation": (scalar_or_tuple(config["dilation"]), "1"),
        }
    )
    text = f"F.conv_transpose{rank}d({', '.join([writer.input(node, order).text, kernel, *options])})"
    crops = conv_transpose_crops(_window(writer, node), config)
    if any(crop != (0, 0) for crop in crops):
        text = f"F.pad({text}, {literal(widths([(-before, -after) for before, after in crops]))})"
    return [Value(text, order)]


def _window(writer: TorchWriter, node: GraphNode) -> list[int]:
    """Return the lengths of a kernel's axes but for its channels; Keras convolves by known ones only."""
    return [int(size or 0) for size in writer.spec(node, 1).shape[:-2]]


HANDLERS = {
    "convolve": _convolve,
    "convolve_depthwise": _convolve_depthwise,
    "convolve_transposed": _convolve_transposed,
}
