"""Recurrent layers: PyTorch's own where they compute the same, else a helper that is written out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ....graph.graph import Node
from ....graph.writing.layout import shown
from .values import Value, plainly
from .writer import Writer

# PyTorch's function for each activation that a helper can be given.
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


def _is_native(node: Node) -> bool:
    """Whether PyTorch's own layer computes what this one does."""
    config = node.config
    if config["recurrent_dropout"]:
        return False
    if node.kind == "simple_rnn":
        return config["activation"] in ("tanh", "relu")
    usual = (config["activation"], config["recurrent_activation"]) == ("tanh", "sigmoid")
    return usual and config.get("reset_after", True) is True


def _reset_first(weights: np.ndarray) -> np.ndarray:
    """Keras has a GRU's gates as update, reset, new; PyTorch as reset, update, new."""
    update, reset, new = np.split(weights, 3, axis=-1)
    return np.concatenate([reset, update, new], axis=-1)


def _native(node: Node) -> tuple[str, dict[str, np.ndarray], tuple[str, ...]]:
    """PyTorch's layer as text, its weights, and those that must not be trained."""
    kernel, recurrent = (node.layer.weights[name] for name in ("kernel", "recurrent_kernel"))
    bias = node.layer.weights.get("bias")
    features, units = kernel.shape[0], node.config["units"]
    name = {"lstm": "LSTM", "gru": "GRU", "simple_rnn": "RNN"}[node.kind]
    relu = node.kind == "simple_rnn" and node.config["activation"] == "relu"
    options = ['nonlinearity="relu"'] if relu else []
    options += shown({"bias": (str(bias is not None), "True"), "batch_first": ("True", "")})
    order = _reset_first if node.kind == "gru" else np.asarray
    weights = {"weight_ih_l0": order(kernel).T, "weight_hh_l0": order(recurrent).T}
    text = f"nn.{name}({', '.join([str(features), str(units), *options])})"
    if bias is None:
        return text, weights, ()
    if node.kind == "gru":
        first, second = order(bias)
        return text, {**weights, "bias_ih_l0": first, "bias_hh_l0": second}, ()
    # PyTorch adds two biases where Keras has one: the second stays zero.
    return text, {**weights, "bias_ih_l0": bias, "bias_hh_l0": np.zeros_like(bias)}, ("bias_hh_l0",)


def _written_out(writer: Writer, node: Node) -> tuple[str, dict[str, np.ndarray]]:
    """A helper as text, and its weights."""
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


def _recurrent(writer: Writer, node: Node) -> Sequence[Value]:
    config: Any = node.config
    name = writer.attribute(node.layer)
    if name is None:
        made = _native(node) if _is_native(node) else _written_out(writer, node)
        name = writer.make(node.layer, *made).removeprefix("self.")
    text = _sequences(writer, node)
    states = [f"{writer.plain(node, index).text}[None]" for index in range(1, len(node.inputs))]
    given = f", ({', '.join(states)})" if len(states) > 1 else "".join(f", {state}" for state in states)
    writer.release(node)
    outputs = writer.name(node.name)
    kept = ["_"] * (2 if node.kind == "lstm" else 1)
    for index in range(1, len(node.outputs)):
        if writer.needed(node, index):
            kept[index - 1] = writer.name(node.name)
    states_text = "_" if set(kept) == {"_"} else f"({', '.join(kept)})" if len(kept) > 1 else kept[0]
    writer.line(f"{outputs}, {states_text} = self.{name}({text}{given})")
    if not config["return_sequences"]:
        writer.line(f"{outputs} = {outputs}[:, -1]")
    results = [Value(outputs, plainly(node.outputs[0].rank))]
    for state in kept[: len(node.outputs) - 1]:
        if state != "_":
            writer.line(f"{state} = {state}[0]")
        results.append(Value(state, plainly(2)))
    return results


def _sequences(writer: Writer, node: Node) -> str:
    """The sequences as the layer is to see them: backwards if asked for, dropped in training the same at each step."""
    config = node.config
    text = writer.plain(node).text
    if config["go_backwards"]:
        text = f"{text}.flip(1)"
    if not config["dropout"]:
        return text
    name = text if text.isidentifier() else writer.keep(node, text)
    return f"{name} * F.dropout(torch.ones_like({name}[:, :1]), {config['dropout']!r}, self.training)"


HANDLERS = dict.fromkeys(("lstm", "gru", "simple_rnn"), _recurrent)
