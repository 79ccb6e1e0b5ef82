"""Handlers of recurrent layers: PyTorch's own layers where they compute the same, else helpers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ....graph.graph import GraphNode
from ....graph.writing.layout import literal
from .values import Value, channels_first, graph_order
from .writer import TorchWriter

# PyTorch's function for each activation that a helper accepts.
CALLABLES = {
    "linear": "nn.Identity()",
    "tanh": "torch.tanh",
    "sigmoid": "torch.sigmoid",
    "relu": "F.relu",
    "relu6": "F.relu6",
    "selu": "F.selu",
    "elu": "F.elu",
    "silu": "F.silu",
    "softplus": "F.softplus",
    "softsign": "F.softsign",
    "hard_sigmoid": "F.hardsigmoid",
    "hard_silu": "F.hardswish",
    "exp": "torch.exp",
    "mish": "F.mish",
    "gelu": "F.gelu",
}


def _is_native(node: GraphNode) -> bool:
    """Return whether PyTorch's own layer computes the same."""
    config = node.config
    if config["recurrent_dropout"]:
        return False
    if node.kind == "simple_rnn":
        return config["activation"] in ("tanh", "relu")
    usual = (config["activation"], config["recurrent_activation"]) == ("tanh", "sigmoid")
    return usual and config.get("reset_after", True) is True


def _reset_first(weights: np.ndarray) -> np.ndarray:
    """Reorder a GRU's gates from Keras' update, reset, new to PyTorch's reset, update, new."""
    update, reset, new = np.split(weights, 3, axis=-1)
    return np.concatenate([reset, update, new], axis=-1)


def _native_layer(node: GraphNode) -> tuple[str, dict[str, np.ndarray], tuple[str, ...]]:
    """Return PyTorch's layer as text, its weights, and the names of those that must not be trained."""
    kernel, recurrent = (node.layer.weights[name] for name in ("kernel", "recurrent_kernel"))
    bias = node.layer.weights.get("bias")
    features, units = kernel.shape[0], node.config["units"]
    name = {"lstm": "LSTM", "gru": "GRU", "simple_rnn": "RNN"}[node.kind]
    relu = node.kind == "simple_rnn" and node.config["activation"] == "relu"
    options = ['nonlinearity="relu"'] if relu else []
    options += ["bias=False"] if bias is None else []
    options.append("batch_first=True")
    order = _reset_first if node.kind == "gru" else np.asarray
    weights = {"weight_ih_l0": order(kernel).T, "weight_hh_l0": order(recurrent).T}
    text = f"nn.{name}({', '.join([str(features), str(units), *options])})"
    if bias is None:
        return text, weights, ()
    if node.kind == "gru":
        first, second = order(bias)
        return text, {**weights, "bias_ih_l0": first, "bias_hh_l0": second}, ()
    # PyTorch has two biases, Keras one: the second stays zero.
    return text, {**weights, "bias_ih_l0": bias, "bias_hh_l0": np.zeros_like(bias)}, ("bias_hh_l0",)


def _helper_layer(writer: TorchWriter, node: GraphNode) -> tuple[str, dict[str, np.ndarray]]:
    """Return a helper as text, and its weights."""
    config: Any = node.config
    kernel, recurrent = (node.layer.weights[name] for name in ("kernel", "recurrent_kernel"))
    bias = node.layer.weights.get("bias")
    options = [f"bias={bias is not None}", f"activation={CALLABLES[config['activation']]}"]
    if node.kind != "simple_rnn":
        options.append(f"gate={CALLABLES[config['recurrent_activation']]}")
    options.append(f"recurrent_dropout={config['recurrent_dropout']!r}")
    if node.kind == "gru":
        options.append(f"reset_after={config['reset_after']}")
    name = writer.helper({"lstm": "LSTM", "gru": "GRU", "simple_rnn": "SimpleRNN"}[node.kind])
    weights = {"weight_ih": kernel.T, "weight_hh": recurrent.T}
    if bias is not None and node.kind == "gru" and bias.ndim == 2:
        weights |= {"bias_ih": bias[0], "bias_hh": bias[1]}
    elif bias is not None:
        weights["bias_ih" if node.kind == "gru" else "bias"] = bias
    return f"{name}({', '.join([str(kernel.shape[0]), str(config['units']), *options])})", weights


def _recurrent(writer: TorchWriter, node: GraphNode) -> Sequence[Value]:
    config: Any = node.config
    name = writer.attribute(node.layer)
    if name is None:
        definition = _native_layer(node) if _is_native(node) else _helper_layer(writer, node)
        name = writer.add_attribute(node.layer, *definition).removeprefix("self.")
    text = _sequences(writer, node)
    first_state = 2 if config["masked"] else 1
    states = [f"{writer.in_graph_order(node, index).text}[None]" for index in range(first_state, len(node.inputs))]
    states_argument = f", ({', '.join(states)})" if len(states) > 1 else "".join(f", {state}" for state in states)
    mask = _mask(writer, node) if config["masked"] else ""
    call = f"self.{name}({text}{states_argument})"
    if config["masked"]:
        call = f"{writer.helper('run_masked')}(self.{name}, {text}, {mask}{states_argument})"
    outputs, state_names = _steps_through(writer, node, call, 2 if node.kind == "lstm" else 1)
    results = [Value(outputs, graph_order(node.outputs[0].rank))]
    for state in state_names[: len(node.outputs) - 1]:
        if state != "_":
            writer.line(f"{state} = {state}[0]")
        results.append(Value(state, graph_order(2)))
    return results


def _steps_through(writer: TorchWriter, node: GraphNode, call: str, states: int) -> tuple[str, list[str]]:
    """Write the call of a layer with so many states; return the names of the outputs, and of the states in use or _."""
    writer.release(node)
    outputs = writer.name(node.name)
    names = ["_"] * states
    for index in range(1, len(node.outputs)):
        if writer.needed(node, index):
            names[index - 1] = writer.name(node.name)
    text = "_" if set(names) == {"_"} else f"({', '.join(names)})" if states > 1 else names[0]
    writer.line(f"{outputs}, {text} = {call}")
    if not node.config["return_sequences"]:
        writer.line(f"{outputs} = {outputs}[:, -1]")
    return outputs, names


def _conv_lstm(writer: TorchWriter, node: GraphNode) -> Sequence[Value]:
    config: Any = node.config
    kernel = node.layer.weights["recurrent_kernel"]
    *window, filters, _ = kernel.shape
    rank = len(window)
    state_order = channels_first(rank + 2)
    order = (0, 1, *(axis + 1 for axis in state_order[1:]))  # the steps are the second axis
    name = writer.attribute(node.layer)
    if name is None:
        bias = node.layer.weights.get("bias")
        options = [f"bias={bias is not None}", f"activation={CALLABLES[config['activation']]}"]
        options.append(f"gate={CALLABLES[config['recurrent_activation']]}")
        text = f"{writer.helper('ConvLSTM')}({', '.join([str(filters), literal(tuple(window)), *options])})"
        weights = {"recurrent.weight": kernel.transpose(rank + 1, rank, *range(rank))}
        weights |= {} if bias is None else {"recurrent.bias": bias}
        name = writer.add_attribute(node.layer, text, weights).removeprefix("self.")
    gates = writer.input(node, order).text + (".flip(1)" if config["go_backwards"] else "")
    states = [writer.input(node, state_order, index).text for index in range(1, len(node.inputs))]
    arguments = ", ".join([gates, *([f"({', '.join(states)})"] if states else [])])
    outputs, names = _steps_through(writer, node, f"self.{name}({arguments})", 2)
    results = [Value(outputs, order if config["return_sequences"] else state_order)]
    return [*results, *(Value(state, state_order) for state in names[: len(node.outputs) - 1])]


def _sequences(writer: TorchWriter, node: GraphNode) -> str:
    """Return the layer's input: reversed for `go_backwards`, with one dropout mask for all steps."""
    config = node.config
    text = writer.in_graph_order(node).text
    if config["go_backwards"]:
        text = f"{text}.flip(1)"
    if not config["dropout"]:
        return text
    name = text if text.isidentifier() else writer.assign(node, text)
    return f"{name} * F.dropout(torch.ones_like({name}[:, :1]), {config['dropout']!r}, self.training)"


def _mask(writer: TorchWriter, node: GraphNode) -> str:
    text = writer.in_graph_order(node, 1).text
    return f"{text}.flip(1)" if node.config["go_backwards"] else text


HANDLERS = {**dict.fromkeys(("lstm", "gru", "simple_rnn"), _recurrent), "conv_lstm": _conv_lstm}
