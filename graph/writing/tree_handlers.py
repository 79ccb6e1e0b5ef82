"""The handlers for writing functions over a tree: the shared ones together with a backend's own."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ..blocks import BLOCKS
from ..graph import GraphNode
from .expressions import Dialect
from .tree import TreeWriter
from .tree_functions import elementary_handlers
from .tree_layers import LAYERS
from .tree_shapes import SHAPES

TreeHandlers = Mapping[str, Callable[[Any, GraphNode], Sequence[str]]]

_RECURRENT = ("lstm", "gru", "simple_rnn", "conv_lstm")


def tree_handlers(dialect: Dialect, own_handlers: TreeHandlers) -> TreeHandlers:
    """Return the handler of each kind; a backend's own handlers replace the shared ones.

    Args:
        dialect: the framework's expressions.
        own_handlers: the backend's handlers of kinds that no expression of the dialect covers.
    """
    return {**elementary_handlers(dialect), **SHAPES, **LAYERS, BLOCKS: _blocks, **own_handlers}


def _blocks(writer: TreeWriter, node: GraphNode) -> Sequence[str]:
    return writer.write_blocks(node)


def unsupported_reason(node: GraphNode, handlers: TreeHandlers, dialect: Dialect, framework: str) -> str | None:
    """Return why a backend cannot write a node, or None when it can."""
    if node.kind not in handlers:
        return f"{node.kind} has no form in {framework} yet"
    if node.kind not in _RECURRENT:
        return None
    activations = [node.config.get(name) for name in ("activation", "recurrent_activation")]
    unknown = [str(name) for name in activations if name is not None and name not in dialect.activations]
    return f"activation {unknown[0]} in a recurrent layer has no form in {framework} yet" if unknown else None
