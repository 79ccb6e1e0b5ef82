"""The order in which the elements of an array reach the next part of a model, through reshapes and transpositions.

A network that is channels-first and one that is channels-last keep the outputs of a dense layer that becomes an image,
the inputs of one that reads an image, and a trained array of positions, each in another order. Where both orders are
known, one is turned into the other.
"""

from __future__ import annotations

import numpy as np

from ..graph.graph import ArrayReference, Graph, GraphNode

_AS_IT_IS = frozenset(("cast", "stop_gradient", "dropout"))


def outgoing(graph: Graph, node: GraphNode, places: np.ndarray) -> np.ndarray:
    """Return where the elements of an array stand when they reach the next part that does more than move them.

    Args:
        node: the one that gives the array.
        places: its elements, numbered, in the shape of one sample.
    """
    reference = ArrayReference(node.name)
    while True:
        # Of several readers, as before a residual sum, the first is followed in both models.
        reader = next((each for each in graph.readers[reference] if isinstance(each, GraphNode)), None)
        if reader is None:
            return places
        moved = _moved(reader, places)
        if moved is None and _is_elementwise(reader, places.shape):
            moved = places
        if moved is None:
            return places
        places, reference = moved, ArrayReference(reader.name)


def incoming(graph: Graph, node: GraphNode) -> np.ndarray | None:
    """Return for each input feature of a node its place in the array that was flattened before it.

    None if the lengths of that array are not known.
    """
    chain: list[GraphNode] = []
    by_name = {each.name: each for each in graph.nodes}
    reference = node.references[0]
    while reference.name in by_name and (above := by_name[reference.name]).references:
        if above.kind not in MOVES and not _is_elementwise(above, graph.specs[above.references[0]].shape[1:]):
            break
        chain.append(above)
        reference = above.references[0]
    shape = [length for length in graph.specs[reference].shape[1:] if length is not None]
    if len(shape) < graph.specs[reference].rank - 1:
        return None
    places = np.arange(int(np.prod(shape))).reshape(shape)
    for each in reversed(chain):
        moved = _moved(each, places)
        places = places if moved is None else moved
    return places


def _is_elementwise(node: GraphNode, shape: tuple[int | None, ...]) -> bool:
    """Return whether a node keeps the elements of its input where they are."""
    return (
        not node.layer.weights
        and len(node.outputs) == 1
        and node.outputs[0].shape[1:] == shape
        and (
            node.kind not in ("softmax", "log_softmax", "flip", "matmul", "cumsum", "multi_head_attention", "attention")
        )
    )


def _moved(node: GraphNode, places: np.ndarray) -> np.ndarray | None:
    """Return the places after a node that only moves elements within a sample; None if it does more."""
    if node.kind in _AS_IT_IS:
        return places
    move = _MOVES.get(node.kind)
    try:
        return None if move is None else move(node, places)
    except (ValueError, TypeError):  # it mixes samples
        return None


def _reshaped(node: GraphNode, places: np.ndarray) -> np.ndarray | None:
    samples, *shape = node.outputs[0].shape
    # An array that does not depend on the input stands there once for all samples.
    return None if samples not in (None, 1) or None in shape else places.reshape([int(n or 0) for n in shape])


def _transposed(node: GraphNode, places: np.ndarray) -> np.ndarray | None:
    axes = node.config["axes"]
    if not isinstance(axes, tuple) or axes[0] != 0:
        return None
    return places.transpose([int(axis) - 1 for axis in axes[1:] if isinstance(axis, int)])


_MOVES = {
    **dict.fromkeys(("reshape", "flatten", "expand_dims", "squeeze"), _reshaped),
    "transpose": _transposed,
}
MOVES = frozenset(_MOVES)
