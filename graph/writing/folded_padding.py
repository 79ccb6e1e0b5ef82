"""Padding with zeros that a convolution does itself, because it computes exactly the same."""

from __future__ import annotations

from typing import Any

from ..graph import ArrayReference, Graph, GraphNode

Pairs = tuple[tuple[int, int], ...]


def folded_into_reader(graph: Graph, pad: GraphNode, symmetric: bool = False) -> Pairs | None:
    """Return the padding before and after each axis that the only reader of a `pad` does; None if it cannot.

    Args:
        graph: the graph.
        pad: the padding.
        symmetric: whether the framework's convolution pads the same before and after.
    """
    config: Any = pad.config
    reader, *others = graph.readers[ArrayReference(pad.name)] or (None,)
    if others or not isinstance(reader, GraphNode):
        return None
    batch, *pairs, channels = config["pad_width"]
    if reader.kind not in ("conv", "depthwise_conv") or reader.config["padding"] != "valid":
        return None
    if config["value"] or any(batch) or any(channels) or len(graph.calls(reader.layer)) > 1:
        return None
    if symmetric and any(before != after for before, after in pairs):
        return None
    return tuple((before, after) for before, after in pairs)


def folded_from_input(graph: Graph, convolution: GraphNode, symmetric: bool = False) -> Pairs | None:
    """Return the padding that a convolution does in place of its input; None if there is none. See above."""
    name = convolution.references[0].name
    pads = [node for node in graph.nodes if node.name == name and node.kind == "pad"]
    return folded_into_reader(graph, pads[0], symmetric) if pads else None
