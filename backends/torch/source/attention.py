"""Handlers of attention layers, which need helpers: PyTorch's own layer ties the head size to the model size."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ....graph.graph import GraphNode
from ....graph.layer_kinds import zeros_where_masked
from ....graph.writing.layout import literal
from .values import Value, graph_order
from .writer import TorchWriter


def _multi_head(writer: TorchWriter, node: GraphNode) -> Sequence[Value]:
    config: Any = node.config
    name = writer.attribute(node.layer)
    if name is None:
        name = writer.add_attribute(node.layer, *_multi_head_definition(writer, node)).removeprefix("self.")
    return _attend(writer, node, name, node.inputs[:3], "masked" in config and config["masked"])


def _multi_head_definition(writer: TorchWriter, node: GraphNode) -> tuple[str, dict[str, np.ndarray]]:
    config, arrays = node.config, node.layer.weights
    features = tuple(arrays[f"{part}_kernel"].shape[0] for part in ("query", "key", "value"))
    options = [
        f"heads={config['num_heads']}",
        f"key_heads={config['num_key_value_heads']}",
        f"key_dim={config['key_dim']}",
        f"value_dim={config['value_dim']}",
        f"bias={'query_bias' in arrays}",
        f"dropout={config['dropout']!r}",
    ]
    weights: dict[str, np.ndarray] = {}
    for part in ("query", "key", "value", "output"):
        kernel = arrays[f"{part}_kernel"]
        rows = kernel.shape[0] * kernel.shape[1] if part == "output" else kernel.shape[0]
        weights[f"{part}.weight"] = kernel.reshape(rows, -1).T
        if f"{part}_bias" in arrays:
            weights[f"{part}.bias"] = arrays[f"{part}_bias"].reshape(-1)
    output_features = arrays["output_kernel"].shape[-1]
    text = f"{writer.helper('MultiHeadAttention')}({literal(features)}, {output_features}, {', '.join(options)})"
    return text, weights


def _single(writer: TorchWriter, node: GraphNode) -> Sequence[Value]:
    config, arrays = node.config, node.layer.weights
    name = writer.attribute(node.layer)
    if name is None:
        scale = arrays.get("scale")
        shape = literal(None if scale is None else scale.shape)
        mode = literal(config["score_mode"])
        weights = {} if scale is None else {"scale": scale}
        if "concat_score_weight" in arrays:
            weights["weight"] = arrays["concat_score_weight"]
        text = f"{writer.helper('Attention')}({mode}, {shape}, {config['dropout']!r})"
        name = writer.add_attribute(node.layer, text, weights).removeprefix("self.")
    return _attend(writer, node, name, node.inputs, False)


def _attend(writer: TorchWriter, node: GraphNode, name: str, inputs: Sequence[Any], masked: bool) -> Sequence[Value]:
    arguments = [writer.in_graph_order(node, index).text for index in range(len(inputs))]
    if masked:
        arguments.append(f"mask={writer.in_graph_order(node, 3).text}")
    if node.config["causal"]:
        arguments.append("causal=True")
    if masked and zeros_where_masked(node.config):
        arguments.append("zeros=True")
    writer.release(node)
    result = writer.name(node.name)
    scores = writer.name(node.name) if len(node.outputs) > 1 and writer.needed(node, 1) else "_"
    writer.line(f"{result}, {scores} = self.{name}({', '.join(arguments)})")
    values = [Value(result, graph_order(node.outputs[0].rank))]
    if len(node.outputs) > 1:
        values.append(Value(scores, graph_order(node.outputs[1].rank)))
    return values


HANDLERS = {"multi_head_attention": _multi_head, "attention": _single}
