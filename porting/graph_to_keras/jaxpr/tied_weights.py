"""Find the weights that a function reads in several ways, such as a table of embeddings that is also an output layer.

Keras layers own their weights, so that two layers would train two copies. A weight with several readers is one array of
the model instead, except where all readers are calls of one layer, or read different parts of it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

import numpy as np

from ..foreign_graph import ForeignGraph, ForeignNode, Ref

# The kinds that become one shared layer if they have the same weights and attributes.
_LAYERS = frozenset(
    {"affine", "batch_norm", "conv", "conv_transpose", "einsum_dense", "embedding", "layer_norm", "matmul", "rms_norm"}
)


def tied_weights(graph: ForeignGraph, places: Mapping[str, tuple[str, np.ndarray]]) -> frozenset[str]:
    """Return the names of the program's weights that are read in several ways.

    Args:
        graph: as it was translated with one weight for each reader.
        places: for each weight of the graph, the name of the program's weight, and its places in that.
    """
    readers: dict[str, dict[str, np.ndarray]] = defaultdict(dict)
    for node in graph.nodes:
        for name in node.refs():
            if name in places:
                origin, numbers = places[name]
                readers[origin][_layer_of(graph, node)] = numbers
    return frozenset(origin for origin, parts in readers.items() if _overlap([part.ravel() for part in parts.values()]))


def _layer_of(graph: ForeignGraph, node: ForeignNode) -> str:
    """Return what two nodes share if they become calls of one layer."""
    if node.kind not in _LAYERS:
        return node.outputs[0]
    weights = [
        graph.weights[each.name].name for each in node.inputs if isinstance(each, Ref) and each.name in graph.weights
    ]
    return repr((node.kind, weights, sorted(node.attributes.items())))


def _overlap(parts: list[np.ndarray]) -> bool:
    numbers = np.concatenate(parts)
    return len(np.unique(numbers)) < len(numbers)
