"""Handlers of layers that have weights or draw random numbers. Each calls a helper with the layer's parameters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..graph import GraphNode
from ..layer_kinds import zeros_where_masked
from .folded_padding import folded_from_input
from .layout import literal
from .tree import TreeHandler, TreeWriter
from .windows import conv_transpose_crops


def _helper_call(helper: str, *settings: str) -> TreeHandler:
    """Return a handler that writes `helper(params["name"], x, setting=…)`."""

    def handler(writer: TreeWriter, node: GraphNode) -> Sequence[str]:
        keywords = [f"{name}={literal(node.config[name])}" for name in settings]
        return [_call_text(writer, helper, node, *keywords)]

    return handler


def _call_text(writer: TreeWriter, helper: str, node: GraphNode, *more: str) -> str:
    arguments = [writer.layer_parameters(node.layer), *writer.inputs(node), *more]
    return f"{writer.helper(helper)}({', '.join(arguments)})"


def _einsum_dense(writer: TreeWriter, node: GraphNode) -> Sequence[str]:
    return [_call_text(writer, "einsum_dense", node, literal(node.config["equation"]))]


# --- convolutions and pooling ---------------------------------------------------------------------------------------


def _conv(writer: TreeWriter, node: GraphNode) -> Sequence[str]:
    groups = writer.options({"groups": (str(node.config["groups"]), "1")})
    return [_call_text(writer, "conv", node, *_window(writer, node), *groups)]


def _depthwise_conv(writer: TreeWriter, node: GraphNode) -> Sequence[str]:
    return [_call_text(writer, "depthwise_conv", node, *_window(writer, node))]


def _convolve(helper: str) -> TreeHandler:
    """Return a handler of a convolution whose kernel is an array: it calls the helper of the layer."""

    def handler(writer: TreeWriter, node: GraphNode) -> Sequence[str]:
        config: Any = node.config
        return _call_with_kernel(
            writer, helper, node, f"padding={literal(config['padding'].upper())}", *_steps(writer, config)
        )

    return handler


def _convolve_transposed(writer: TreeWriter, node: GraphNode) -> Sequence[str]:
    settings = _transposed_window(writer, node, writer.spec(node, 1).shape[:-2])
    return _call_with_kernel(writer, "conv_transpose", node, *settings)


def _call_with_kernel(writer: TreeWriter, helper: str, node: GraphNode, *settings: str) -> Sequence[str]:
    x, kernel = writer.inputs(node)
    return [f'{writer.helper(helper)}({{"kernel": {kernel}}}, {x}, {", ".join(settings)})']


def _window(writer: TreeWriter, node: GraphNode) -> list[str]:
    """Return padding, and strides and dilation where they are not 1."""
    config: Any = node.config
    folded = folded_from_input(writer.graph, node) if writer.folds_padding else None
    padding = literal(folded) if folded else literal(config["padding"].upper())
    return [f"padding={padding}", *_steps(writer, config)]


def _steps(writer: TreeWriter, config: Any) -> list[str]:
    names = ("strides", "dilation")
    return writer.options({name: (literal(config[name]), literal((1,) * len(config[name]))) for name in names})


def _conv_transpose(writer: TreeWriter, node: GraphNode) -> Sequence[str]:
    settings = _transposed_window(writer, node, node.layer.weights["kernel"].shape[:-2])
    return [_call_text(writer, "conv_transpose", node, *settings)]


def _transposed_window(writer: TreeWriter, node: GraphNode, window: Sequence[Any]) -> list[str]:
    """Return the padding of the equivalent convolution, and strides and dilation where they are not 1."""
    config: Any = node.config
    spans = [(size - 1) * dilation for size, dilation in zip(window, config["dilation"], strict=True)]
    crops = conv_transpose_crops(window, config)
    padding = tuple((span - before, span - after) for span, (before, after) in zip(spans, crops, strict=True))
    return [f"padding={literal(padding)}", *_steps(writer, config)]


def _pool(helper: str) -> TreeHandler:
    def handler(writer: TreeWriter, node: GraphNode) -> Sequence[str]:
        config: Any = node.config
        arguments = [*writer.inputs(node), literal(config["pool_size"]), literal(config["strides"])]
        arguments += ['"SAME"'] if config["padding"] == "same" else []
        return [f"{writer.helper(helper)}({', '.join(arguments)})"]

    return handler


# --- normalisation --------------------------------------------------------------------------------------------------


def _batch_normalization(writer: TreeWriter, node: GraphNode) -> Sequence[str]:
    config = node.config
    (x,) = writer.inputs(node)
    settings = f"axis={config['axis']}, momentum={config['momentum']!r}, epsilon={config['epsilon']!r}"
    return writer.write_batch_norm(node, x, writer.training() if node.layer.trainable else "False", settings)


def _over_axes(helper: str) -> TreeHandler:
    def handler(writer: TreeWriter, node: GraphNode) -> Sequence[str]:
        config = node.config
        return [_call_text(writer, helper, node, f"axes={literal(config['axis'])}", f"epsilon={config['epsilon']!r}")]

    return handler


def _normalization(writer: TreeWriter, node: GraphNode) -> Sequence[str]:
    helper = writer.helper("denormalization" if node.config["invert"] else "normalization")
    return [f"{helper}({writer.layer_parameters(node.layer, frozen=True)}, {writer.inputs(node)[0]})"]


# --- random numbers -------------------------------------------------------------------------------------------------


def _in_training(writer: TreeWriter, node: GraphNode, text: str) -> Sequence[str]:
    """Return the node's input, replaced by another expression in training."""
    (x,) = writer.inputs(node)
    training = writer.training()
    writer.release(node)
    result = writer.name(node.name)
    if result != x:
        return [writer.assign_to(result, f"{text} if {training} else {x}")]
    writer.line(f"if {training}:")
    writer.line(f"{x} = {text}", deeper=4)
    return [x]


def _dropout(writer: TreeWriter, node: GraphNode) -> Sequence[str]:
    (x,) = writer.inputs(node)
    shape: Any = node.config["noise_shape"]
    arguments = [x, repr(node.config["rate"])]
    text = writer.with_rng_key(*arguments)
    if shape is not None:
        ones = ", ".join(str(axis) for axis, length in enumerate(shape) if length == 1)
        text += f", shared=({ones}{',' if ones.isdigit() else ''})"
    return _in_training(writer, node, f"{writer.helper('dropout')}({text})")


def _noise(helper: str, setting: str) -> TreeHandler:
    def handler(writer: TreeWriter, node: GraphNode) -> Sequence[str]:
        (x,) = writer.inputs(node)
        arguments = writer.with_rng_key(x, repr(node.config[setting]))
        return _in_training(writer, node, f"{writer.helper(helper)}({arguments})")

    return handler


# --- sequences ------------------------------------------------------------------------------------------------------


def _embedding(writer: TreeWriter, node: GraphNode) -> Sequence[str]:
    (x,) = writer.inputs(node)
    return [f"{writer.helper('embedding')}({writer.layer_parameters(node.layer)}, {x})"]


def _recurrent(writer: TreeWriter, node: GraphNode) -> Sequence[str]:
    config: Any = node.config
    x, *states = writer.inputs(node)
    mask = [states.pop(0)] if config["masked"] else []
    if config["go_backwards"]:
        x, mask = f"{x}[:, ::-1]", [f"{each}[:, ::-1]" for each in mask]
    if config["dropout"]:
        dropout_arguments = writer.with_rng_key(x, repr(config["dropout"]))
        x = writer.assign(
            node, f"{writer.helper('dropout')}({dropout_arguments}, shared=(1,)) if {writer.training()} else {x}"
        )
    arguments = [writer.layer_parameters(node.layer), x, *mask]
    if states:
        arguments.append(f"({', '.join(states)}{',' if len(states) == 1 else ''})")
    arguments += _settings(writer, node, x)
    return _steps_through(
        writer, node, f"{writer.helper(('masked_' if mask else '') + node.kind)}({', '.join(arguments)})"
    )


def _conv_lstm(writer: TreeWriter, node: GraphNode) -> Sequence[str]:
    gates, *states = writer.inputs(node)
    arguments = [writer.layer_parameters(node.layer), f"{gates}[:, ::-1]" if node.config["go_backwards"] else gates]
    arguments += [f"({', '.join(states)})"] if states else []
    arguments += _settings(writer, node, gates)
    return _steps_through(writer, node, f"{writer.helper('conv_lstm')}({', '.join(arguments)})")


def _steps_through(writer: TreeWriter, node: GraphNode, text: str) -> Sequence[str]:
    """Write the call of a helper that goes through the steps; return the outputs, and the final states in use."""
    writer.release(node)
    result = writer.name(node.name)
    state_names = [writer.name(node.name) if writer.needed(node, i) else "_" for i in range(1, len(node.outputs))]
    writer.line(f"{', '.join([result, *state_names] if set(state_names) - {'_'} else [result, '*_'])} = {text}")
    if not node.config["return_sequences"]:
        writer.line(f"{result} = {result}[:, -1]")
    return [result, *state_names]


def _settings(writer: TreeWriter, node: GraphNode, x: str) -> list[str]:
    """Return the settings of a recurrent layer that differ from the helper's defaults."""
    config: Any = node.config
    settings = []
    if config["activation"] != "tanh":
        settings.append(f"activation={writer.dialect.activations[config['activation']]}")
    if config.get("recurrent_activation", "sigmoid") != "sigmoid":
        settings.append(f"gate={writer.dialect.activations[config['recurrent_activation']]}")
    if not config.get("reset_after", True):
        settings.append("reset_after=False")
    if config.get("recurrent_dropout"):
        mask_arguments = writer.with_rng_key(x, str(config["units"]), repr(config["recurrent_dropout"]))
        mask = f"{writer.helper('recurrent_dropout_mask')}({mask_arguments}) if {writer.training()} else 1.0"
        settings.append(f"dropout_mask={writer.assign(node, mask)}")
    return settings


def _multi_head_attention(writer: TreeWriter, node: GraphNode) -> Sequence[str]:
    masked = bool(node.config["masked"])
    inputs = writer.inputs(node)
    zeros = ["zeros=True"] if zeros_where_masked(node.config) else []
    return _attend(writer, node, [*inputs[:3], *(inputs[3:4] if masked else [])], *zeros)


def _attention(writer: TreeWriter, node: GraphNode) -> Sequence[str]:
    return _attend(writer, node, writer.inputs(node), f"mode={literal(node.config['score_mode'])}")


def _attend(writer: TreeWriter, node: GraphNode, inputs: Sequence[str], *more: str) -> Sequence[str]:
    config: Any = node.config
    arguments = [writer.layer_parameters(node.layer), *inputs, *more, *(["causal=True"] if config["causal"] else [])]
    if config["dropout"]:
        arguments.append(f"rate={config['dropout']!r} if {writer.training()} else 0.0")
        key = writer.rng_key()
        arguments += [f"dropout_key={key} if {writer.training()} else None"] if key else []
    text = f"{writer.helper(node.kind)}({', '.join(arguments)})"
    writer.release(node)
    result = writer.name(node.name)
    scores = writer.name(node.name) if len(node.outputs) > 1 and writer.needed(node, 1) else "_"
    writer.line(f"{result}, {scores} = {text}")
    return [result, scores][: len(node.outputs)]


# --- the rest -------------------------------------------------------------------------------------------------------


def _prelu(writer: TreeWriter, node: GraphNode) -> Sequence[str]:
    (x,) = writer.inputs(node)
    return [f"{writer.helper('prelu')}({writer.layer_parameters(node.layer)}, {x})"]


def _constant(writer: TreeWriter, node: GraphNode) -> Sequence[str]:
    return [writer.constant(node.layer)]


def _parameter(writer: TreeWriter, node: GraphNode) -> Sequence[str]:
    return [f'{writer.layer_parameters(node.layer)}["weight"]']


LAYERS: dict[str, TreeHandler] = {
    "dense": _helper_call("dense"),
    "einsum_dense": _einsum_dense,
    "conv": _conv,
    "depthwise_conv": _depthwise_conv,
    "conv_transpose": _conv_transpose,
    "convolve": _convolve("conv"),
    "convolve_depthwise": _convolve("depthwise_conv"),
    "convolve_transposed": _convolve_transposed,
    "max_pool": _pool("max_pool"),
    "average_pool": _pool("average_pool"),
    "batch_normalization": _batch_normalization,
    "layer_normalization": _over_axes("layer_norm"),
    "rms_normalization": _over_axes("rms_norm"),
    "group_normalization": _helper_call("group_norm", "groups", "epsilon"),
    "normalization": _normalization,
    "embedding": _embedding,
    "lstm": _recurrent,
    "gru": _recurrent,
    "simple_rnn": _recurrent,
    "conv_lstm": _conv_lstm,
    "multi_head_attention": _multi_head_attention,
    "attention": _attention,
    "dropout": _dropout,
    "gaussian_noise": _noise("gaussian_noise", "stddev"),
    "gaussian_dropout": _noise("gaussian_dropout", "rate"),
    "alpha_dropout": _noise("alpha_dropout", "rate"),
    "prelu": _prelu,
    "constant": _constant,
    "parameter": _parameter,
}
