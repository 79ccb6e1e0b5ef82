"""All handlers of the PyTorch writer, and the two functions that `graph/source.py` describes."""

from __future__ import annotations

from ....graph.folding import fold
from ....graph.graph import Graph, GraphNode
from ....graph.source import Source
from .blocks import block_pattern, blocks_handler
from .functions import FUNCTIONS
from .layers import LAYERS
from .limits import limitation
from .writer import LOCALS, TorchHandlers, TorchWriter

HANDLERS: TorchHandlers = {**FUNCTIONS, **LAYERS}


def refuses(node: GraphNode) -> str | None:
    """Return why PyTorch cannot compute a node, or None when it can."""
    if node.kind not in HANDLERS:
        return f"{node.kind} has no form in PyTorch yet"
    return limitation(node)


def write(graph: Graph) -> Source:
    """Return the graph as `model.py` with its weights."""
    folded = fold(graph, lambda block: block_pattern(block, HANDLERS), LOCALS)
    return TorchWriter(folded, {**HANDLERS, **blocks_handler(HANDLERS)}).source()
