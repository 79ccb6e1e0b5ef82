"""A built Keras model read as a `Graph`: the table of readers, handed to the `Reading` that calls them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras

from ...errors import PortError
from ...graph.graph import Graph, Node
from .calls import is_graph
from .layers import LAYERS, layer_scale
from .operations import OPERATIONS
from .reader import UNREADABLE, Reader, Reading, UnreadableError
from .wrappers import WRAPPERS


def read(model: Any, refuses: Callable[[Node], str | None] = lambda node: None, inner: Any = None) -> Graph:
    """The graph of a built Keras model.

    Args:
        model: Sequential or functional, nested as it may be.
        refuses: why a node cannot be used, or None where it can: a room's `refuses`.
        inner: where a nested model is the model proper, the other layers being its preparation: one of its name. The
            names of its layers and outputs are the graph's, without its own before them.

    Raises:
        PortError: the model is no graph of layers, or holds layers that cannot be read or are refused; the message
            names every one.
    """
    if not is_graph(model):
        raise PortError(
            f"{getattr(model, 'name', model)} is not a Sequential or functional model with known inputs: what its own "
            "`call` computes cannot be read; build it with keras.Model(inputs, outputs)"
        )
    reading = Reading(_reader_of, inner)
    graph = reading.graph(model)
    reasons = dict(reading.problems)
    for node in graph.nodes:
        reason = None if node.kind == UNREADABLE else refuses(node)
        if reason:
            reasons.setdefault(node.layer.name, reason)
    if reasons:
        listed = "; ".join(f"{name}: {reason}" for name, reason in reasons.items())
        raise PortError(f"{model.name} cannot be written as source: {listed}")
    return graph


def _reader_of(operation: Any) -> Reader:
    """The function that reads this layer or operation; only of Keras' own, as a user's may compute anything."""
    for name, reader in (*LAYERS.items(), *WRAPPERS.items()):
        if type(operation) is getattr(keras.layers, name):
            return reader
    name = type(operation).__name__
    if (name, type(operation).__module__) == ("LayerScale", "keras.src.applications.convnext"):
        return layer_scale
    if name in OPERATIONS and type(operation).__module__.startswith("keras.src."):
        return OPERATIONS[name]
    raise UnreadableError(f"{name} is not covered")
