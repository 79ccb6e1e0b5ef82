"""Handlers of layers that become attributes of the module, with weights in PyTorch's layout."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ....graph.graph import GraphLayer, GraphNode
from ....graph.writing.folded_padding import folded_from_input
from ....graph.writing.layout import literal, scalar_or_tuple
from ....graph.writing.windows import conv_transpose_crops
from .attention import HANDLERS as ATTENTION
from .convolutions import HANDLERS as CONVOLUTIONS
from .convolutions import convolution_options, padded
from .padding import Padding, same_padding, widths, window_span
from .recurrent import HANDLERS as RECURRENT
from .values import Value, channels_first, graph_order
from .writer import TorchWriter

TorchHandler = Callable[[TorchWriter, GraphNode], Sequence[Value]]


def _attribute(writer: TorchWriter, node: GraphNode, definition: Callable[[], tuple[Any, ...]]) -> str:
    """Return the attribute of a layer. Its first call adds it by `definition()`: see `TorchWriter.add_attribute`."""
    name = writer.attribute(node.layer)
    return f"self.{name}" if name else writer.add_attribute(node.layer, *definition())


# --- products -------------------------------------------------------------------------------------------------------


def _dense(writer: TorchWriter, node: GraphNode) -> Sequence[Value]:
    value = writer.input(node)
    value = value if value.rows is not None else writer.in_graph_order(node)
    kernel = node.layer.weights["kernel"]

    def build() -> tuple[Any, ...]:
        # An array that was flattened channels first needs the kernel's rows in the same order.
        rows = kernel if value.rows is None else kernel[value.rows]
        weights = {"weight": rows.T, **_bias(node.layer)}
        return f"nn.Linear({kernel.shape[0]}, {kernel.shape[1]}{_no_bias(node.layer)})", weights

    return [Value(f"{_attribute(writer, node, build)}({value.text})", graph_order(writer.spec(node).rank))]


def _bias(layer: GraphLayer) -> dict[str, np.ndarray]:
    return {"bias": layer.weights["bias"]} if "bias" in layer.weights else {}


def _no_bias(layer: GraphLayer) -> str:
    return "" if "bias" in layer.weights else ", bias=False"


def _einsum_dense(writer: TorchWriter, node: GraphNode) -> Sequence[Value]:
    def build() -> tuple[Any, ...]:
        kernel, bias = node.layer.weights["kernel"], node.layer.weights.get("bias")
        shapes = f"{literal(kernel.shape)}, {literal(None if bias is None else bias.shape)}"
        text = f"{writer.helper('EinsumDense')}({literal(node.config['equation'])}, {shapes})"
        return text, {"weight": kernel, **_bias(node.layer)}

    return [
        Value(
            f"{_attribute(writer, node, build)}({writer.in_graph_order(node).text})", graph_order(node.outputs[0].rank)
        )
    ]


# --- convolutions ---------------------------------------------------------------------------------------------------


def _conv(writer: TorchWriter, node: GraphNode) -> Sequence[Value]:
    kernel = node.layer.weights["kernel"]
    rank = int(node.config["rank"])  # type: ignore[arg-type]
    groups = int(node.config["groups"])  # type: ignore[arg-type]
    weight = kernel.transpose(rank + 1, rank, *range(rank))
    return _convolve(writer, node, weight, kernel.shape[rank] * groups, groups)


def _depthwise_conv(writer: TorchWriter, node: GraphNode) -> Sequence[Value]:
    kernel = node.layer.weights["kernel"]
    *window, channels, multiplier = kernel.shape
    rank = len(window)
    weight = kernel.transpose(rank, rank + 1, *range(rank)).reshape(channels * multiplier, 1, *window)
    return _convolve(writer, node, weight, channels, channels)


def _convolve(writer: TorchWriter, node: GraphNode, weight: np.ndarray, channels: int, groups: int) -> Sequence[Value]:
    config: Any = node.config
    rank, window = config["rank"], weight.shape[2:]
    order = channels_first(rank + 2)
    value = writer.input(node, order)
    lengths = writer.spec(node).shape[1:-1]
    span = window_span(window, config["dilation"])
    padding = same_padding(lengths, span, config["strides"]) if config["padding"] == "same" else Padding.none(rank)
    folded = folded_from_input(writer.graph, node, symmetric=True)
    padding = Padding(folded) if folded else padding
    inside = _layer_padding(writer, node, padding, config["strides"])
    text = padded(writer, value.text, padding, span, config["strides"]) if inside is None else value.text

    def build() -> tuple[Any, ...]:
        options = convolution_options(writer, config, inside or "0", groups)
        arguments = [str(channels), str(weight.shape[0]), scalar_or_tuple(window), *options]
        return f"nn.Conv{rank}d({', '.join(arguments)}{_no_bias(node.layer)})", {
            "weight": weight,
            **_bias(node.layer),
        }

    return [Value(f"{_attribute(writer, node, build)}({text})", order)]


def _layer_padding(writer: TorchWriter, node: GraphNode, padding: Padding, strides: Sequence[int]) -> str | None:
    """Return the padding as an argument of the layer, or None if it must be a separate operation."""
    if set(strides) == {1} and node.config["padding"] == "same":
        return scalar_or_tuple(padding.before) if padding.known and padding.symmetric else '"same"'
    calls = writer.graph.calls(node.layer)
    lengths = {writer.spec(call).shape[1:-1] for call in calls}
    if padding.known and padding.symmetric and len(lengths) == 1:
        return scalar_or_tuple(padding.before)
    return None


def _conv_transpose(writer: TorchWriter, node: GraphNode) -> Sequence[Value]:
    config: Any = node.config
    rank, kernel = config["rank"], node.layer.weights["kernel"]
    *window, filters, channels = kernel.shape
    order = channels_first(rank + 2)
    crops = conv_transpose_crops(window, config)
    # PyTorch cuts the same at both ends. `output_padding` can give back less than a stride or a dilation at the end.
    room = [max(s, d) for s, d in zip(config["strides"], config["dilation"], strict=True)]
    inside = all(b >= 0 and 0 <= b - a < r for (b, a), r in zip(crops, room, strict=True))

    def build() -> tuple[Any, ...]:
        before, extra = [b for b, _ in crops], [b - a for b, a in crops]
        options = writer.options(
            {
                "stride": (scalar_or_tuple(config["strides"]), "1"),
                "padding": (scalar_or_tuple(before) if inside else "0", "0"),
                "output_padding": (scalar_or_tuple(extra) if inside else "0", "0"),
                "dilation": (scalar_or_tuple(config["dilation"]), "1"),
            }
        )
        arguments = [str(channels), str(filters), scalar_or_tuple(window), *options]
        weight = kernel.transpose(rank + 1, rank, *range(rank))
        text = f"nn.ConvTranspose{rank}d({', '.join(arguments)}{_no_bias(node.layer)})"
        return text, {"weight": weight, **_bias(node.layer)}

    text = f"{_attribute(writer, node, build)}({writer.input(node, order).text})"
    if not inside:
        if "bias" in node.layer.weights and any(min(pair) < 0 for pair in crops):
            return [_pad_before_bias(writer, node, text, crops, order)]
        text = f"F.pad({text}, {literal(widths([(-b, -a) for b, a in crops]))})"
    return [Value(text, order)]


def _pad_before_bias(writer: TorchWriter, node: GraphNode, text: str, crops: Any, order: tuple[int, ...]) -> Value:
    """Pad with zeros before the bias: positions that no input reaches must equal the bias."""
    attribute = text.partition("(")[0]
    shape = "-1" + ", 1" * (len(order) - 2)
    bias = f"{attribute}.bias.view({shape})"
    name = writer.assign(node, f"{text} - {bias}")
    writer.reuse_name(name)
    return Value(f"F.pad({name}, {literal(widths([(-b, -a) for b, a in crops]))}) + {bias}", order)


# --- normalisation --------------------------------------------------------------------------------------------------


def _affine(layer: GraphLayer) -> tuple[dict[str, np.ndarray], list[str]]:
    """Return a normalisation's weights, and the names of those that Keras does not have, to be frozen."""
    weights, frozen = {}, []
    size = next(iter(layer.weights.values())).shape if layer.weights else ()
    for name, keras_name, fill in (("weight", "gamma", np.ones), ("bias", "beta", np.zeros)):
        if keras_name in layer.weights:
            weights[name] = layer.weights[keras_name]
        else:
            weights[name] = fill(size, np.float32)
            frozen.append(name)
    return weights, frozen


def _batch_normalization(writer: TorchWriter, node: GraphNode) -> Sequence[Value]:
    config: Any = node.config
    rank = writer.spec(node).rank
    value = writer.input(node)
    if rank > 1 and value.order[1] != config["axis"]:
        others = [axis for axis in range(rank) if axis not in (0, config["axis"])]
        value = value.permuted((0, config["axis"], *others))

    def build() -> tuple[Any, ...]:
        weights, frozen = _affine(node.layer)
        weights |= {
            "running_mean": node.layer.weights["moving_mean"],
            "running_var": node.layer.weights["moving_variance"],
        }
        channels = len(weights["weight"])
        options = f"eps={config['epsilon']!r}, momentum={round(1 - config['momentum'], 12)!r}"
        options += "" if node.layer.trainable else ", frozen=True"
        return f"{writer.helper('BatchNorm')}({channels}, {options})", weights, frozen

    return [Value(f"{_attribute(writer, node, build)}({value.text})", value.order, value.rows)]


def _layer_normalization(writer: TorchWriter, node: GraphNode) -> Sequence[Value]:
    config: Any = node.config

    def build() -> tuple[Any, ...]:
        shape = _lengths(writer, node, config["axis"])
        if not node.layer.weights:
            return f"nn.LayerNorm({shape}, eps={config['epsilon']!r}, elementwise_affine=False)", {}
        return f"nn.LayerNorm({shape}, eps={config['epsilon']!r})", *_affine(node.layer)

    return _over_last_axes(writer, node, build)


def _rms_normalization(writer: TorchWriter, node: GraphNode) -> Sequence[Value]:
    config: Any = node.config

    def build() -> tuple[Any, ...]:
        shape = _lengths(writer, node, config["axis"])
        return f"nn.RMSNorm({shape}, eps={config['epsilon']!r})", {"weight": node.layer.weights["scale"]}

    return _over_last_axes(writer, node, build)


def _lengths(writer: TorchWriter, node: GraphNode, axes: Sequence[int]) -> str:
    shape = tuple(writer.spec(node).shape[axis] for axis in axes)
    return literal(shape[0]) if len(shape) == 1 else literal(shape)


def _over_last_axes(writer: TorchWriter, node: GraphNode, build: Callable[[], tuple[Any, ...]]) -> Sequence[Value]:
    """Apply a layer to the last axes, after moving the given axes there."""
    axes: Any = node.config["axis"]
    others = [axis for axis in range(writer.spec(node).rank) if axis not in axes]
    value = writer.input(node, (*others, *axes))
    return [Value(f"{_attribute(writer, node, build)}({value.text})", value.order)]


def _group_normalization(writer: TorchWriter, node: GraphNode) -> Sequence[Value]:
    config: Any = node.config
    value = writer.input(node, channels_first(writer.spec(node).rank))

    def build() -> tuple[Any, ...]:
        text = f"nn.GroupNorm({config['groups']}, {writer.spec(node).shape[-1]}, eps={config['epsilon']!r}"
        if not node.layer.weights:
            return f"{text}, affine=False)", {}
        return f"{text})", *_affine(node.layer)

    # PyTorch 2.13 crashes in the gradient for an input in channels-last memory that needs no gradient itself.
    return [Value(f"{_attribute(writer, node, build)}({value.text}.contiguous())", value.order)]


def _normalization(writer: TorchWriter, node: GraphNode) -> Sequence[Value]:
    mean, variance = (node.layer.weights[name] for name in ("mean", "variance"))

    def build() -> tuple[Any, ...]:
        helper = writer.helper("Denormalization" if node.config["invert"] else "Normalization")
        return f"{helper}({literal(mean.shape)})", {"mean": mean, "variance": variance}

    return [
        Value(
            f"{_attribute(writer, node, build)}({writer.in_graph_order(node).text})", graph_order(node.outputs[0].rank)
        )
    ]


# --- the rest -------------------------------------------------------------------------------------------------------


def _embedding(writer: TorchWriter, node: GraphNode) -> Sequence[Value]:
    def build() -> tuple[Any, ...]:
        table = node.layer.weights["embeddings"]
        return f"nn.Embedding({table.shape[0]}, {table.shape[1]})", {"weight": table}

    return [
        Value(
            f"{_attribute(writer, node, build)}({writer.in_graph_order(node).text})", graph_order(node.outputs[0].rank)
        )
    ]


def _prelu(writer: TorchWriter, node: GraphNode) -> Sequence[Value]:
    alpha = node.layer.weights["alpha"]
    calls = writer.graph.calls(node.layer)
    value = writer.input(node) if len(calls) == 1 else writer.in_graph_order(node)

    def build() -> tuple[Any, ...]:
        slopes = alpha[None].transpose(value.order)[0] if value.order[0] == 0 else alpha
        return f"{writer.helper('PReLU')}({literal(slopes.shape)})", {"weight": slopes}

    return [Value(f"{_attribute(writer, node, build)}({value.text})", value.order)]


def _dropout(writer: TorchWriter, node: GraphNode) -> Sequence[Value]:
    value, rate = writer.input(node), node.config["rate"]
    shape: Any = node.config["noise_shape"]

    def build() -> tuple[Any, ...]:
        if shape is None:
            return f"nn.Dropout({rate!r})", {}
        positions = tuple(value.position(axis) for axis, length in enumerate(shape) if length == 1)
        whole_channels = tuple(sorted(positions)) == tuple(range(2, len(shape))) and len(shape) in (3, 4, 5)
        if whole_channels:
            return f"nn.Dropout{len(shape) - 2}d({rate!r})", {}
        return f"{writer.helper('SharedDropout')}({rate!r}, axes={literal(tuple(sorted(positions)))})", {}

    if shape is not None and len(writer.graph.calls(node.layer)) > 1:
        value = writer.in_graph_order(node)
    return [Value(f"{_attribute(writer, node, build)}({value.text})", value.order, value.rows)]


def _noise(layer: str, setting: str) -> TorchHandler:
    """Return the handler of what only training draws: a class of `nn`, or a helper, with one setting."""

    def handler(writer: TorchWriter, node: GraphNode) -> Sequence[Value]:
        value = writer.input(node)

        def build() -> tuple[Any, ...]:
            name = layer if layer.startswith("nn.") else writer.helper(layer)
            return f"{name}({node.config[setting]!r})", {}

        return [Value(f"{_attribute(writer, node, build)}({value.text})", value.order, value.rows)]

    return handler


def _array(weight: str, add: Callable[[TorchWriter, GraphLayer, np.ndarray], str]) -> TorchHandler:
    """Return the handler of a layer that is nothing but an array, which `add` makes an attribute."""

    def handler(writer: TorchWriter, node: GraphNode) -> Sequence[Value]:
        name = writer.attribute(node.layer)
        value = node.layer.weights[weight]
        text = f"self.{name}" if name else add(writer, node.layer, value)
        return [Value(text, graph_order(value.ndim))]

    return handler


def _handlers() -> dict[str, TorchHandler]:

    return {
        "dense": _dense,
        "einsum_dense": _einsum_dense,
        "conv": _conv,
        "depthwise_conv": _depthwise_conv,
        "conv_transpose": _conv_transpose,
        **CONVOLUTIONS,
        "batch_normalization": _batch_normalization,
        "layer_normalization": _layer_normalization,
        "rms_normalization": _rms_normalization,
        "group_normalization": _group_normalization,
        "normalization": _normalization,
        "embedding": _embedding,
        "prelu": _prelu,
        "dropout": _dropout,
        "gaussian_noise": _noise("GaussianNoise", "stddev"),
        "gaussian_dropout": _noise("GaussianDropout", "rate"),
        "alpha_dropout": _noise("nn.AlphaDropout", "rate"),
        "constant": _array("value", TorchWriter.add_buffer),
        "parameter": _array("weight", TorchWriter.add_parameter),
        **RECURRENT,
        **ATTENTION,
    }


LAYERS = _handlers()
