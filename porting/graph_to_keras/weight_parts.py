"""Take apart the weights that a network only reads in parts, such as the kernel of cross-attention.

PyTorch keeps the kernels of query, key and value in one array, and cuts it where the three read different arrays. Each
part is a weight of its own here, so that a layer of Keras owns it.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np

from .constant_folding import lengths
from .foreign_graph import ForeignGraph, ForeignNode, Ref, Weight, reader_counts


def take_apart(graph: ForeignGraph) -> ForeignGraph:
    """Return the same network with each weight that a single `split` reads as several weights."""
    readers, weights, nodes = reader_counts(graph), dict(graph.weights), []
    for node in graph.nodes:
        parts = _parts(node, graph, readers)
        if parts is None:
            nodes.append(node)
        else:
            weights |= dict(zip(node.outputs, parts, strict=True))
    return replace(graph, nodes=tuple(nodes), weights=weights)


def _parts(node: ForeignNode, graph: ForeignGraph, readers: Counter[str]) -> list[Weight] | None:
    """Return the parts that a node cuts a weight into; None if it does something else."""
    source = node.inputs[0] if node.inputs else None
    if node.kind != "split" or not isinstance(source, Ref) or source.name not in graph.weights:
        return None
    weight, axis = graph.weights[source.name], node.attributes["axis"]
    if readers[source.name] != 1 or set(node.outputs) & set(graph.outputs) or not weight.trainable:
        return None
    if not _has_known_sizes(node):
        return None
    sizes = split_sizes(node, weight.value.shape[axis])
    if len(sizes) != len(node.outputs):
        return None
    values = np.split(weight.value, np.cumsum(sizes)[:-1], axis)
    path, dot, last = weight.name.rpartition(".")
    kind = "bias" if "bias" in last else "weight"
    return [
        replace(weight, name=f"{path}{dot}{last}_{number}.{kind}", value=np.ascontiguousarray(value))
        for number, value in enumerate(values)
    ]


def _has_known_sizes(node: ForeignNode) -> bool:
    """Return whether the sizes of a `split`, or its number of parts, are plain numbers and no references."""
    sizes = node.attributes.get("sizes", node.attributes.get("parts"))
    listed = sizes if isinstance(sizes, tuple) else (sizes,)
    return any(listed) and all(isinstance(size, int) for size in listed)


def split_sizes(node: ForeignNode, length: int) -> list[int]:
    """Return the sizes of the parts into which a `split` cuts an axis of this length."""
    sizes = node.attributes.get("sizes")
    if sizes is not None and np.size(sizes) > 1:
        return [int(size) for size in lengths(sizes)]
    each = -(-length // int(node.attributes["parts"])) if sizes is None else int(np.ravel(sizes)[0])
    return [min(each, length - at) for at in range(0, length, each)]
