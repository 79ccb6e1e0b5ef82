"""The layers that weigh something, or draw something: each a call of a helper with its part of the tree."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ..graph import Node
from .layout import literal
from .tree import TreeWriter
from .windows import conv_transpose_crops

Handler = Callable[[TreeWriter, Node], Sequence[str]]


def _called(helper: str, *settings: str) -> Handler:
    """`helper(params["name"], x, setting=…)`."""

    def handler(writer: TreeWriter, node: Node) -> Sequence[str]:
        shown = [f"{name}={literal(node.config[name])}" for name in settings]
        return [_call(writer, helper, node, *shown)]

    return handler


def _call(writer: TreeWriter, helper: str, node: Node, *more: str) -> str:
    given = [writer.weighed(node.layer), *writer.inputs(node), *more]
    return f"{writer.helper(helper)}({', '.join(given)})"


def _einsum_dense(writer: TreeWriter, node: Node) -> Sequence[str]:
    return [_call(writer, "einsum_dense", node, literal(node.config["equation"]))]


# --- convolutions and pooling ---------------------------------------------------------------------------------------


def _conv(writer: TreeWriter, node: Node) -> Sequence[str]:
    groups: Any = node.config["groups"]
    return [_call(writer, "conv", node, *_window(node), *([f"groups={groups}"] if groups > 1 else []))]


def _depthwise_conv(writer: TreeWriter, node: Node) -> Sequence[str]:
    return [_call(writer, "depthwise_conv", node, *_window(node))]


def _window(node: Node) -> list[str]:
    """Padding, and the strides and dilation that are not 1."""
    config: Any = node.config
    return [f'padding="{config["padding"].upper()}"', *_steps(config)]


def _steps(config: Any) -> list[str]:
    return [f"{name}={literal(config[name])}" for name in ("strides", "dilation") if set(config[name]) != {1}]


def _conv_transpose(writer: TreeWriter, node: Node) -> Sequence[str]:
    config: Any = node.config
    window = node.layer.weights["kernel"].shape[:-2]
    spans = [(size - 1) * dilation for size, dilation in zip(window, config["dilation"], strict=True)]
    crops = conv_transpose_crops(window, config)
    padding = tuple((span - before, span - after) for span, (before, after) in zip(spans, crops, strict=True))
    return [_call(writer, "conv_transpose", node, f"padding={literal(padding)}", *_steps(config))]


def _pool(helper: str) -> Handler:
    def handler(writer: TreeWriter, node: Node) -> Sequence[str]:
        config: Any = node.config
        arguments = [*writer.inputs(node), literal(config["pool_size"]), literal(config["strides"])]
        arguments += ['"SAME"'] if config["padding"] == "same" else []
        return [f"{writer.helper(helper)}({', '.join(arguments)})"]

    return handler


# --- normalisation --------------------------------------------------------------------------------------------------


def _batch_normalization(writer: TreeWriter, node: Node) -> Sequence[str]:
    config = node.config
    (x,) = writer.inputs(node)
    settings = f"axis={config['axis']}, momentum={config['momentum']!r}, epsilon={config['epsilon']!r}"
    return writer.batch_norm(node, x, writer.training() if node.layer.trainable else "False", settings)


def _over_axes(helper: str) -> Handler:
    def handler(writer: TreeWriter, node: Node) -> Sequence[str]:
        config = node.config
        return [_call(writer, helper, node, f"axes={literal(config['axis'])}", f"epsilon={config['epsilon']!r}")]

    return handler


def _normalization(writer: TreeWriter, node: Node) -> Sequence[str]:
    helper = writer.helper("denormalization" if node.config["invert"] else "normalization")
    return [f"{helper}({writer.weighed(node.layer, frozen=True)}, {writer.inputs(node)[0]})"]


# --- drawing --------------------------------------------------------------------------------------------------------


def _in_training(writer: TreeWriter, node: Node, text: str) -> Sequence[str]:
    """The node's input, in training another expression instead."""
    (x,) = writer.inputs(node)
    training = writer.training()
    writer.release(node)
    result = writer.name(node.name)
    if result != x:
        return [writer.keep_as(result, f"{text} if {training} else {x}")]
    writer.line(f"if {training}:")
    writer.line(f"{x} = {text}", deeper=4)
    return [x]


def _dropout(writer: TreeWriter, node: Node) -> Sequence[str]:
    (x,) = writer.inputs(node)
    shape: Any = node.config["noise_shape"]
    given = [x, repr(node.config["rate"])]
    text = writer.drawn(*given)
    if shape is not None:
        ones = ", ".join(str(axis) for axis, length in enumerate(shape) if length == 1)
        text += f", shared=({ones}{',' if ones.isdigit() else ''})"
    return _in_training(writer, node, f"{writer.helper('dropout')}({text})")


def _noise(helper: str, setting: str) -> Handler:
    def handler(writer: TreeWriter, node: Node) -> Sequence[str]:
        (x,) = writer.inputs(node)
        drawn = writer.drawn(x, repr(node.config[setting]))
        return _in_training(writer, node, f"{writer.helper(helper)}({drawn})")

    return handler


# --- sequences ------------------------------------------------------------------------------------------------------


def _embedding(writer: TreeWriter, node: Node) -> Sequence[str]:
    (x,) = writer.inputs(node)
    return [f"{writer.helper('embedding')}({writer.weighed(node.layer)}, {x})"]


def _recurrent(writer: TreeWriter, node: Node) -> Sequence[str]:
    config: Any = node.config
    x, *states = writer.inputs(node)
    x = f"{x}[:, ::-1]" if config["go_backwards"] else x
    if config["dropout"]:
        drawn = writer.drawn(x, repr(config["dropout"]))
        x = writer.keep(node, f"{writer.helper('dropout')}({drawn}, shared=(1,)) if {writer.training()} else {x}")
    arguments = [writer.weighed(node.layer), x]
    if states:
        arguments.append(f"({', '.join(states)}{',' if len(states) == 1 else ''})")
    arguments += _settings(writer, node, x)
    text = f"{writer.helper(node.kind)}({', '.join(arguments)})"
    writer.release(node)
    result = writer.name(node.name)
    after = [writer.name(node.name) if writer.needed(node, i) else "_" for i in range(1, len(node.outputs))]
    writer.line(f"{', '.join([result, *after] if set(after) - {'_'} else [result, '*_'])} = {text}")
    if not config["return_sequences"]:
        writer.line(f"{result} = {result}[:, -1]")
    return [result, *after]


def _settings(writer: TreeWriter, node: Node, x: str) -> list[str]:
    """What a recurrent layer has other than usual."""
    config: Any = node.config
    found = []
    if config["activation"] != "tanh":
        found.append(f"activation={writer.words.activations[config['activation']]}")
    if config.get("recurrent_activation", "sigmoid") != "sigmoid":
        found.append(f"gate={writer.words.activations[config['recurrent_activation']]}")
    if not config.get("reset_after", True):
        found.append("reset_after=False")
    if config["recurrent_dropout"]:
        drawn = writer.drawn(x, str(config["units"]), repr(config["recurrent_dropout"]))
        kept = f"{writer.helper('kept_states')}({drawn}) if {writer.training()} else 1.0"
        found.append(f"kept={writer.keep(node, kept)}")
    return found


def _multi_head_attention(writer: TreeWriter, node: Node) -> Sequence[str]:
    masked = bool(node.config["masked"])
    inputs = writer.inputs(node)
    return _attend(writer, node, [*inputs[:3], *(inputs[3:4] if masked else [])])


def _attention(writer: TreeWriter, node: Node) -> Sequence[str]:
    return _attend(writer, node, writer.inputs(node), f"mode={literal(node.config['score_mode'])}")


def _attend(writer: TreeWriter, node: Node, inputs: Sequence[str], *more: str) -> Sequence[str]:
    config: Any = node.config
    arguments = [writer.weighed(node.layer), *inputs, *more, *(["causal=True"] if config["causal"] else [])]
    if config["dropout"]:
        arguments.append(f"rate={config['dropout']!r} if {writer.training()} else 0.0")
        key = writer.key()
        arguments += [f"draw={key} if {writer.training()} else None"] if key else []
    text = f"{writer.helper(node.kind)}({', '.join(arguments)})"
    writer.release(node)
    result = writer.name(node.name)
    scores = writer.name(node.name) if len(node.outputs) > 1 and writer.needed(node, 1) else "_"
    writer.line(f"{result}, {scores} = {text}")
    return [result, scores][: len(node.outputs)]


# --- the rest -------------------------------------------------------------------------------------------------------


def _prelu(writer: TreeWriter, node: Node) -> Sequence[str]:
    (x,) = writer.inputs(node)
    return [f"{writer.helper('prelu')}({writer.weighed(node.layer)}, {x})"]


def _constant(writer: TreeWriter, node: Node) -> Sequence[str]:
    return [f'{writer.weighed(node.layer, frozen=True)}["value"]']


LAYERS: dict[str, Handler] = {
    "dense": _called("dense"),
    "einsum_dense": _einsum_dense,
    "conv": _conv,
    "depthwise_conv": _depthwise_conv,
    "conv_transpose": _conv_transpose,
    "max_pool": _pool("max_pool"),
    "average_pool": _pool("average_pool"),
    "batch_normalization": _batch_normalization,
    "layer_normalization": _over_axes("layer_norm"),
    "rms_normalization": _over_axes("rms_norm"),
    "group_normalization": _called("group_norm", "groups", "epsilon"),
    "normalization": _normalization,
    "embedding": _embedding,
    "lstm": _recurrent,
    "gru": _recurrent,
    "simple_rnn": _recurrent,
    "multi_head_attention": _multi_head_attention,
    "attention": _attention,
    "dropout": _dropout,
    "gaussian_noise": _noise("gaussian_noise", "stddev"),
    "gaussian_dropout": _noise("gaussian_dropout", "rate"),
    "prelu": _prelu,
    "constant": _constant,
}
