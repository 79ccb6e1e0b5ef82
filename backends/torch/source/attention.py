"""Attention layers, written out: PyTorch's own has no size of its heads apart from the size of the model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ....graph.graph import Node
from ....graph.writing.layout import literal
from .values import Value, plainly
from .writer import Writer


def _multi_head(writer: Writer, node: Node) -> Sequence[Value]:
    config: Any = node.config
    name = writer.attribute(node.layer)
    if name is None:
        name = writer.make(node.layer, *_make_multi_head(writer, node)).removeprefix("self.")
    return _attend(writer, node, name, node.inputs[:3], "masked" in config and config["masked"])


def _make_multi_head(writer: Writer, node: Node) -> tuple[str, dict[str, np.ndarray]]:
    config, given = node.config, node.layer.weights
    features = tuple(given[f"{part}_kernel"].shape[0] for part in ("query", "key", "value"))
    options = [
        f"heads={config['num_heads']}",
        f"key_heads={config['num_key_value_heads']}",
        f"key_dim={config['key_dim']}",
        f"value_dim={config['value_dim']}",
        f"bias={'query_bias' in given}",
        f"dropout={config['dropout']!r}",
    ]
    weights: dict[str, np.ndarray] = {}
    for part in ("query", "key", "value", "output"):
        kernel = given[f"{part}_kernel"]
        rows = kernel.shape[0] * kernel.shape[1] if part == "output" else kernel.shape[0]
        weights[f"{part}.weight"] = kernel.reshape(rows, -1).T
        if f"{part}_bias" in given:
            weights[f"{part}.bias"] = given[f"{part}_bias"].reshape(-1)
    result = given["output_kernel"].shape[-1]
    text = f"{writer.helper('MultiHeadAttention')}({literal(features)}, {result}, {', '.join(options)})"
    return text, weights


def _single(writer: Writer, node: Node) -> Sequence[Value]:
    config, given = node.config, node.layer.weights
    name = writer.attribute(node.layer)
    if name is None:
        scale = given.get("scale")
        shape = literal(None if scale is None else scale.shape)
        mode = literal(config["score_mode"])
        weights = {} if scale is None else {"scale": scale}
        if "concat_score_weight" in given:
            weights["weight"] = given["concat_score_weight"]
        text = f"{writer.helper('Attention')}({mode}, {shape}, {config['dropout']!r})"
        name = writer.make(node.layer, text, weights).removeprefix("self.")
    return _attend(writer, node, name, node.inputs, False)


def _attend(writer: Writer, node: Node, name: str, inputs: Sequence[Any], masked: bool) -> Sequence[Value]:
    arguments = [writer.plain(node, index).text for index in range(len(inputs))]
    if masked:
        arguments.append(f"mask={writer.plain(node, 3).text}")
    if node.config["causal"]:
        arguments.append("causal=True")
    writer.release(node)
    result = writer.name(node.name)
    scores = writer.name(node.name) if len(node.outputs) > 1 and writer.needed(node, 1) else "_"
    writer.line(f"{result}, {scores} = self.{name}({', '.join(arguments)})")
    values = [Value(result, plainly(node.outputs[0].rank))]
    if len(node.outputs) > 1:
        values.append(Value(scores, plainly(node.outputs[1].rank)))
    return values


HANDLERS = {"multi_head_attention": _multi_head, "attention": _single}
