"""Take apart the weights that a network only reads in parts, such as the kernel of cross-attention.

PyTorch keeps the kernels of query, key and value in one array, and cuts it where the three read different arrays. Each
part is a weight of its own here, so that a layer of Keras owns it.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace

import numpy as np

from .foreign_graph import ForeignGraph, ForeignNode, Ref, Weight


def take_apart(graph: ForeignGraph) -> ForeignGraph:
    """Return the same network with each weight that a single `split` reads as several weights."""
    readers: dict[str, list[ForeignNode]] = defaultdict(list)
    for node in graph.nodes:
        for name in node.refs():
            readers[name].append(node)
    weights, nodes = dict(graph.weights), []
    for node in graph.nodes:
        parts = _parts(node, graph, readers)
        if parts is None:
            nodes.append(node)
        else:
            weights |= dict(zip(node.outputs, parts, strict=True))
    return replace(graph, nodes=tuple(nodes), weights=weights)


def _parts(node: ForeignNode, graph: ForeignGraph, readers: dict[str, list[ForeignNode]]) -> list[Weight] | None:
    """Return the parts that a node cuts a weight into; None if it does something else."""
    source = node.inputs[0] if node.inputs else None
    if node.kind != "split" or not isinstance(source, Ref) or source.name not in graph.weights:
        return None
    weight, axis = graph.weights[source.name], node.attributes["axis"]
    sizes, count = node.attributes.get("sizes"), node.attributes.get("parts")
    length = weight.value.shape[axis]
    if readers[source.name] != [node] or set(node.outputs) & set(graph.outputs) or not weight.trainable:
        return None
    if isinstance(sizes, tuple) and all(isinstance(size, int) for size in sizes):
        cuts = np.cumsum(sizes)[:-1]
    elif isinstance(count, int) or isinstance(sizes, int):
        step = -(-length // count) if isinstance(count, int) else int(sizes or length)
        cuts = np.arange(step, length, step)
    else:
        return None
    values = np.split(weight.value, cuts, axis)
    if len(values) != len(node.outputs):
        return None
    path, dot, last = weight.name.rpartition(".")
    kind = "bias" if "bias" in last else "weight"
    return [
        replace(weight, name=f"{path}{dot}{last}_{number}.{kind}", value=np.ascontiguousarray(value))
        for number, value in enumerate(values)
    ]
