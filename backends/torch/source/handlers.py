"""What writes each kind of node in PyTorch, handed to the writer; and the room's answers to `graph/source.py`."""

from __future__ import annotations

from ....graph.graph import Graph, Node
from ....graph.source import Source
from .functions import FUNCTIONS
from .layers import LAYERS
from .limits import limit
from .writer import Handlers, Writer

HANDLERS: Handlers = {**FUNCTIONS, **LAYERS}


def refuses(node: Node) -> str | None:
    """Return why this room cannot write a node, or None when it can."""
    if node.kind not in HANDLERS:
        return f"{node.kind} has no form in PyTorch yet"
    return limit(node)


def write(graph: Graph) -> Source:
    """Return the graph as `model.py` with its weights."""
    return Writer(graph, HANDLERS).source()
