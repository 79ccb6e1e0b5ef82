"""A built Keras model read as a `Graph`: the table of readers, handed to the `GraphReader` that calls them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras

from ...backends import keras_internals
from ...errors import PortError
from ...graph.graph import Graph, GraphNode
from .calls import is_layer_graph
from .layers import LAYERS, layer_scale
from .operations import OPERATIONS
from .reader import UNREADABLE, GraphReader, LayerReader, UnreadableError
from .wrappers import WRAPPERS


def read(model: Any, refuses: Callable[[GraphNode], str | None] = lambda node: None, inner_model: Any = None) -> Graph:
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
    if not is_layer_graph(model):
        raise PortError(
            f"{getattr(model, 'name', model)} is not a Sequential or functional model with known inputs: what its own "
            "`call` computes cannot be read; build it with keras.Model(inputs, outputs)"
        )
    reader = GraphReader(_reader_for, inner_model)
    graph = reader.graph(model)
    reasons = dict(reader.problems)
    for node in graph.nodes:
        reason = None if node.kind == UNREADABLE else refuses(node)
        if reason:
            reasons.setdefault(node.layer.name, reason)
    if reasons:
        listed = "; ".join(f"{name}: {reason}" for name, reason in reasons.items())
        raise PortError(f"{model.name} cannot be written as source: {listed}")
    return graph


def _reader_for(operation: Any) -> LayerReader:
    """The function that reads this layer or operation; only of Keras' own, as a user's may compute anything."""
    for name, reader in (*LAYERS.items(), *WRAPPERS.items()):
        if type(operation) is getattr(keras.layers, name):
            return reader
    name = type(operation).__name__
    if (name, type(operation).__module__) == ("LayerScale", "keras.src.applications.convnext"):
        return layer_scale
    if name in OPERATIONS and keras_internals.is_keras_module(type(operation).__module__):
        return OPERATIONS[name]
    raise UnreadableError(f"{name} is not covered")
