"""The layers that become attributes of the module: made once, with weights in PyTorch's layout."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ....graph.graph import Layer, Node
from ....graph.writing.layout import literal, one_or_all, shown
from ....graph.writing.windows import conv_transpose_crops
from .attention import HANDLERS as ATTENTION
from .padding import Padding, same_padding, widths
from .recurrent import HANDLERS as RECURRENT
from .values import Value, channels_first, plainly
from .writer import Writer

Handler = Callable[[Writer, Node], Sequence[Value]]


def _make(writer: Writer, node: Node, text: Callable[[], tuple[Any, ...]]) -> str:
    """The attribute of a node's layer, made at its first call by what `text` gives: see `Writer.make`."""
    name = writer.attribute(node.layer)
    return f"self.{name}" if name else writer.make(node.layer, *text())


# --- products -------------------------------------------------------------------------------------------------------


def _dense(writer: Writer, node: Node) -> Sequence[Value]:
    value = writer.input(node)
    value = value if value.rows is not None else writer.plain(node)
    kernel = node.layer.weights["kernel"]

    def made() -> tuple[Any, ...]:
        # What was flattened with its channels first meets the kernel's rows in that order.
        rows = kernel if value.rows is None else kernel[value.rows]
        weights = {"weight": rows.T, **_bias(node.layer)}
        return f"nn.Linear({kernel.shape[0]}, {kernel.shape[1]}{_no_bias(node.layer)})", weights

    return [Value(f"{_make(writer, node, made)}({value.text})", plainly(writer.spec(node).rank))]


def _bias(layer: Layer) -> dict[str, np.ndarray]:
    return {"bias": layer.weights["bias"]} if "bias" in layer.weights else {}


def _no_bias(layer: Layer) -> str:
    return "" if "bias" in layer.weights else ", bias=False"


def _einsum_dense(writer: Writer, node: Node) -> Sequence[Value]:
    def made() -> tuple[Any, ...]:
        kernel, bias = node.layer.weights["kernel"], node.layer.weights.get("bias")
        shapes = f"{literal(kernel.shape)}, {literal(None if bias is None else bias.shape)}"
        text = f"{writer.helper('EinsumDense')}({literal(node.config['equation'])}, {shapes})"
        return text, {"weight": kernel, **_bias(node.layer)}

    return [Value(f"{_make(writer, node, made)}({writer.plain(node).text})", plainly(node.outputs[0].rank))]


# --- convolutions ---------------------------------------------------------------------------------------------------


def _conv(writer: Writer, node: Node) -> Sequence[Value]:
    kernel = node.layer.weights["kernel"]
    rank = int(node.config["rank"])  # type: ignore[arg-type]
    groups = int(node.config["groups"])  # type: ignore[arg-type]
    weight = kernel.transpose(rank + 1, rank, *range(rank))
    return _convolve(writer, node, weight, kernel.shape[rank] * groups, groups)


def _depthwise_conv(writer: Writer, node: Node) -> Sequence[Value]:
    kernel = node.layer.weights["kernel"]
    *window, channels, multiplier = kernel.shape
    rank = len(window)
    weight = kernel.transpose(rank, rank + 1, *range(rank)).reshape(channels * multiplier, 1, *window)
    return _convolve(writer, node, weight, channels, channels)


def _convolve(writer: Writer, node: Node, weight: np.ndarray, channels: int, groups: int) -> Sequence[Value]:
    config: Any = node.config
    rank, window = config["rank"], weight.shape[2:]
    order = channels_first(rank + 2)
    value = writer.input(node, order)
    lengths = writer.spec(node).shape[1:-1]
    span = tuple(dilation * (size - 1) + 1 for size, dilation in zip(window, config["dilation"], strict=True))
    padding = same_padding(lengths, span, config["strides"]) if config["padding"] == "same" else Padding.none(rank)
    inside = _inside(writer, node, padding, config["strides"])
    text = value.text
    if inside is None and padding.known:
        text = f"F.pad({text}, {literal(padding.torch())})"
    elif inside is None:
        text = f"{writer.helper('same_padding')}({text}, {literal(span)}, {literal(config['strides'])})"

    def made() -> tuple[Any, ...]:
        options = shown(
            {
                "stride": (one_or_all(config["strides"]), "1"),
                "padding": (inside or "0", "0"),
                "dilation": (one_or_all(config["dilation"]), "1"),
                "groups": (str(groups), "1"),
            }
        )
        arguments = [str(channels), str(weight.shape[0]), one_or_all(window), *options]
        return f"nn.Conv{rank}d({', '.join(arguments)}{_no_bias(node.layer)})", {
            "weight": weight,
            **_bias(node.layer),
        }

    return [Value(f"{_make(writer, node, made)}({text})", order)]


def _inside(writer: Writer, node: Node, padding: Padding, strides: Sequence[int]) -> str | None:
    """The padding as the layer itself can do it, as text; None where it has to be done before."""
    if set(strides) == {1} and node.config["padding"] == "same":
        return one_or_all(padding.before) if padding.known and padding.even else '"same"'
    calls = writer.graph.calls(node.layer)
    lengths = {writer.spec(call).shape[1:-1] for call in calls}
    if padding.known and padding.even and len(lengths) == 1:
        return one_or_all(padding.before)
    return None


def _conv_transpose(writer: Writer, node: Node) -> Sequence[Value]:
    config: Any = node.config
    rank, kernel = config["rank"], node.layer.weights["kernel"]
    *window, filters, channels = kernel.shape
    order = channels_first(rank + 2)
    crops = conv_transpose_crops(window, config)
    # PyTorch cuts as much at either end, and gives back at the far end less than a stride or a dilation.
    room = [max(s, d) for s, d in zip(config["strides"], config["dilation"], strict=True)]
    inside = all(b >= 0 and 0 <= b - a < r for (b, a), r in zip(crops, room, strict=True))

    def made() -> tuple[Any, ...]:
        before, extra = [b for b, _ in crops], [b - a for b, a in crops]
        options = shown(
            {
                "stride": (one_or_all(config["strides"]), "1"),
                "padding": (one_or_all(before) if inside else "0", "0"),
                "output_padding": (one_or_all(extra) if inside else "0", "0"),
                "dilation": (one_or_all(config["dilation"]), "1"),
            }
        )
        arguments = [str(channels), str(filters), one_or_all(window), *options]
        weight = kernel.transpose(rank + 1, rank, *range(rank))
        text = f"nn.ConvTranspose{rank}d({', '.join(arguments)}{_no_bias(node.layer)})"
        return text, {"weight": weight, **_bias(node.layer)}

    text = f"{_make(writer, node, made)}({writer.input(node, order).text})"
    if not inside:
        if "bias" in node.layer.weights and any(min(pair) < 0 for pair in crops):
            return [_padded_before_bias(writer, node, text, crops, order)]
        text = f"F.pad({text}, {literal(widths([(-b, -a) for b, a in crops]))})"
    return [Value(text, order)]


def _padded_before_bias(writer: Writer, node: Node, text: str, crops: Any, order: tuple[int, ...]) -> Value:
    """Places that no input reaches hold the bias alone."""
    made = text.partition("(")[0]
    shape = "-1" + ", 1" * (len(order) - 2)
    bias = f"{made}.bias.view({shape})"
    name = writer.keep(node, f"{text} - {bias}")
    writer.drop(name)
    return Value(f"F.pad({name}, {literal(widths([(-b, -a) for b, a in crops]))}) + {bias}", order)


# --- normalisation --------------------------------------------------------------------------------------------------


def _affine(layer: Layer) -> tuple[dict[str, np.ndarray], list[str]]:
    """The weights of a normalisation and which of them only stand in for one that Keras does not have."""
    weights, frozen = {}, []
    size = next(iter(layer.weights.values())).shape if layer.weights else ()
    for name, keras_name, instead in (("weight", "gamma", np.ones), ("bias", "beta", np.zeros)):
        if keras_name in layer.weights:
            weights[name] = layer.weights[keras_name]
        else:
            weights[name] = instead(size, np.float32)
            frozen.append(name)
    return weights, frozen


def _batch_normalization(writer: Writer, node: Node) -> Sequence[Value]:
    config: Any = node.config
    rank = writer.spec(node).rank
    value = writer.input(node)
    if rank > 1 and value.order[1] != config["axis"]:
        others = [axis for axis in range(rank) if axis not in (0, config["axis"])]
        value = value.arranged((0, config["axis"], *others))

    def made() -> tuple[Any, ...]:
        weights, frozen = _affine(node.layer)
        weights |= {
            "running_mean": node.layer.weights["moving_mean"],
            "running_var": node.layer.weights["moving_variance"],
        }
        channels = len(weights["weight"])
        options = f"eps={config['epsilon']!r}, momentum={round(1 - config['momentum'], 12)!r}"
        options += "" if node.layer.trainable else ", frozen=True"
        return f"{writer.helper('BatchNorm')}({channels}, {options})", weights, frozen

    return [Value(f"{_make(writer, node, made)}({value.text})", value.order, value.rows)]


def _layer_normalization(writer: Writer, node: Node) -> Sequence[Value]:
    config: Any = node.config

    def made() -> tuple[Any, ...]:
        shape = _lengths(writer, node, config["axis"])
        if not node.layer.weights:
            return f"nn.LayerNorm({shape}, eps={config['epsilon']!r}, elementwise_affine=False)", {}
        return f"nn.LayerNorm({shape}, eps={config['epsilon']!r})", *_affine(node.layer)

    return _over_last(writer, node, made)


def _rms_normalization(writer: Writer, node: Node) -> Sequence[Value]:
    config: Any = node.config

    def made() -> tuple[Any, ...]:
        shape = _lengths(writer, node, config["axis"])
        return f"nn.RMSNorm({shape}, eps={config['epsilon']!r})", {"weight": node.layer.weights["scale"]}

    return _over_last(writer, node, made)


def _lengths(writer: Writer, node: Node, axes: Sequence[int]) -> str:
    shape = tuple(writer.spec(node).shape[axis] for axis in axes)
    return literal(shape[0]) if len(shape) == 1 else literal(shape)


def _over_last(writer: Writer, node: Node, made: Callable[[], tuple[Any, ...]]) -> Sequence[Value]:
    """A layer that works on the last axes, brought there if they are others."""
    axes: Any = node.config["axis"]
    others = [axis for axis in range(writer.spec(node).rank) if axis not in axes]
    value = writer.input(node, (*others, *axes))
    return [Value(f"{_make(writer, node, made)}({value.text})", value.order)]


def _group_normalization(writer: Writer, node: Node) -> Sequence[Value]:
    config: Any = node.config
    value = writer.input(node, channels_first(writer.spec(node).rank))

    def made() -> tuple[Any, ...]:
        text = f"nn.GroupNorm({config['groups']}, {writer.spec(node).shape[-1]}, eps={config['epsilon']!r}"
        if not node.layer.weights:
            return f"{text}, affine=False)", {}
        return f"{text})", *_affine(node.layer)

    # PyTorch 2.13 crashes in the gradient of one whose input lies channels last in memory and needs no gradient itself.
    return [Value(f"{_make(writer, node, made)}({value.text}.contiguous())", value.order)]


def _normalization(writer: Writer, node: Node) -> Sequence[Value]:
    mean, variance = (node.layer.weights[name] for name in ("mean", "variance"))

    def made() -> tuple[Any, ...]:
        helper = writer.helper("Denormalization" if node.config["invert"] else "Normalization")
        return f"{helper}({literal(mean.shape)})", {"mean": mean, "variance": variance}

    return [Value(f"{_make(writer, node, made)}({writer.plain(node).text})", plainly(node.outputs[0].rank))]


# --- the rest -------------------------------------------------------------------------------------------------------


def _embedding(writer: Writer, node: Node) -> Sequence[Value]:
    def made() -> tuple[Any, ...]:
        table = node.layer.weights["embeddings"]
        return f"nn.Embedding({table.shape[0]}, {table.shape[1]})", {"weight": table}

    return [Value(f"{_make(writer, node, made)}({writer.plain(node).text})", plainly(node.outputs[0].rank))]


def _prelu(writer: Writer, node: Node) -> Sequence[Value]:
    alpha = node.layer.weights["alpha"]
    calls = writer.graph.calls(node.layer)
    value = writer.input(node) if len(calls) == 1 else writer.plain(node)

    def made() -> tuple[Any, ...]:
        slopes = alpha[None].transpose(value.order)[0] if value.order[0] == 0 else alpha
        return f"{writer.helper('PReLU')}({literal(slopes.shape)})", {"weight": slopes}

    return [Value(f"{_make(writer, node, made)}({value.text})", value.order)]


def _dropout(writer: Writer, node: Node) -> Sequence[Value]:
    value, rate = writer.input(node), node.config["rate"]
    shape: Any = node.config["noise_shape"]

    def made() -> tuple[Any, ...]:
        if shape is None:
            return f"nn.Dropout({rate!r})", {}
        places = tuple(value.place(axis) for axis, length in enumerate(shape) if length == 1)
        whole_channels = tuple(sorted(places)) == tuple(range(2, len(shape))) and len(shape) in (3, 4, 5)
        if whole_channels:
            return f"nn.Dropout{len(shape) - 2}d({rate!r})", {}
        return f"{writer.helper('SharedDropout')}({rate!r}, axes={literal(tuple(sorted(places)))})", {}

    if shape is not None and len(writer.graph.calls(node.layer)) > 1:
        value = writer.plain(node)
    return [Value(f"{_make(writer, node, made)}({value.text})", value.order, value.rows)]


def _noise(helper: str, setting: str) -> Handler:
    def handler(writer: Writer, node: Node) -> Sequence[Value]:
        value = writer.input(node)

        def made() -> tuple[Any, ...]:
            return f"{writer.helper(helper)}({node.config[setting]!r})", {}

        return [Value(f"{_make(writer, node, made)}({value.text})", value.order, value.rows)]

    return handler


def _constant(writer: Writer, node: Node) -> Sequence[Value]:
    name = writer.attribute(node.layer)
    value = node.layer.weights["value"]
    text = f"self.{name}" if name else writer.make_buffer(node.layer, value)
    return [Value(text, plainly(value.ndim))]


def _handlers() -> dict[str, Handler]:

    return {
        "dense": _dense,
        "einsum_dense": _einsum_dense,
        "conv": _conv,
        "depthwise_conv": _depthwise_conv,
        "conv_transpose": _conv_transpose,
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
        "constant": _constant,
        **RECURRENT,
        **ATTENTION,
    }


LAYERS = _handlers()
