"""Store long constants of integers and booleans as floats, because `jax.grad` differentiates by floats only.

The weights of a written model are one tree of parameters, and the constants that are too long for a line of code are
among them.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ....graph.graph import Graph, GraphLayer, GraphNode
from .expressions import integers

# The entry of a constant's configuration with the dtype that it is cast back to.
DTYPE = "dtype"


def with_float_constants(graph: Graph) -> Graph:
    """Return the graph with its long constants of integers and booleans in float32, where this holds them exactly."""
    layers: dict[int, GraphLayer] = {}

    def convert(node: GraphNode) -> GraphNode:
        if node.kind != "constant" or not _is_long(node.layer.weights["value"]):
            return node
        value = node.layer.weights["value"]
        floats = replace(node.layer, weights={"value": value.astype("float32")}, config={DTYPE: value.dtype.name})
        return replace(node, layer=layers.setdefault(id(node.layer), floats))

    return replace(graph, nodes=tuple(map(convert, graph.nodes)))


def _is_long(value: np.ndarray) -> bool:
    if value.dtype.kind not in "biu" or integers(value):
        return False
    return np.array_equal(value, value.astype("float32").astype(value.dtype))
