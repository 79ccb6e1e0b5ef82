"""The handlers of a room that writes functions over a tree, put together above the writer that they are handed to."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ..graph import Node
from .expressions import Words
from .tree_functions import functions
from .tree_layers import LAYERS
from .tree_shapes import SHAPES

Handlers = Mapping[str, Callable[[Any, Node], Sequence[str]]]

_RECURRENT = ("lstm", "gru", "simple_rnn")


def tree_handlers(words: Words, own: Handlers) -> Handlers:
    """Return the handler of each kind; a room's own handlers replace the shared ones.

    Args:
        words: the room's vocabulary.
        own: the room's handlers of kinds that its vocabulary does not reach.
    """
    return {**functions(words), **SHAPES, **LAYERS, **own}


def refusal(node: Node, handlers: Handlers, words: Words, framework: str) -> str | None:
    """Return why a room cannot write a node, or None when it can."""
    if node.kind not in handlers:
        return f"{node.kind} has no form in {framework} yet"
    if node.kind not in _RECURRENT:
        return None
    activations = [node.config.get(name) for name in ("activation", "recurrent_activation")]
    unknown = [str(name) for name in activations if name is not None and name not in words.activations]
    return f"activation {unknown[0]} in a recurrent layer has no form in {framework} yet" if unknown else None
