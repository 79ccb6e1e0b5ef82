"""Read a built Keras model as a `Graph`; here the tables of layer readers are handed to the `GraphReader`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import keras

from ...backends import keras_internals
from ...errors import PortError
from ...graph.graph import Graph, GraphNode
from ..converters import TEACH_LAYER, Converters, layer_target
from .calls import is_layer_graph
from .conv_lstm import CONVOLUTIONAL_LSTMS
from .layers import LAYERS
from .operations import OPERATIONS
from .origins import Origins
from .reader import UNREADABLE, GraphReader, LayerReader, UnreadableError
from .subclassed import over_inputs, whole_model
from .tracing import traced
from .wrappers import WRAPPERS


def read(
    model: Any,
    refuses: Callable[[GraphNode], str | None] = lambda node: None,
    inner_model: Any = None,
    converters: Converters | None = None,
) -> Graph:
    """Return the graph of a built Keras model.

    Args:
        model: a Sequential or functional model; models within it are inlined. Or one with a `call` of its own, that was
            called on data.
        refuses: returns why a node cannot be written, or None if it can: the `refuses` of a backend's `source` package.
        inner_model: the trained model, if `model` wraps it in preprocessing layers. The nested model of this name gives
            the graph its name and the names of its outputs, and the names of its layers get no prefix.
        converters: the user's, by their targets.

    Raises:
        PortError: the shapes of the model's inputs are not known, or some layers cannot be read or are refused; the
            message names each of them.
    """
    return _read(model, refuses, inner_model, converters or {}, "written as source", TEACH_LAYER)[0]


def read_with_origins(model: Any) -> tuple[Graph, Origins]:
    """Return the graph of a built Keras model, and what each part of it was in the model.

    Raises:
        PortError: the model is not a layer graph, or some layers cannot be read; the message names each of them.
    """
    return _read(model, lambda node: None, None, {}, "compared")


def _read(
    model: Any,
    refuses: Callable[[GraphNode], str | None],
    inner_model: Any,
    converters: Converters,
    purpose: str,
    hint: str = "",
) -> tuple[Graph, Origins]:
    model = over_inputs(model)
    if not is_layer_graph(model):
        raise PortError(
            f"{getattr(model, 'name', model)} has symbolic inputs and a `call` of its own, which may differ: build it "
            "with keras.Model(inputs, outputs)"
        )
    reader = GraphReader(partial(_readers_for, converters), inner_model, whole_model(model))
    graph = reader.graph(model)
    reasons = dict(reader.problems)
    for node in graph.nodes:
        reason = None if node.kind == UNREADABLE else refuses(node)
        if reason:
            reasons.setdefault(node.layer.name, reason)
    if reasons:
        listed = "; ".join(f"{name}: {reason}" for name, reason in reasons.items())
        raise PortError(f"{model.name} cannot be {purpose}: {listed}{hint}")
    return graph, reader.origins


def _readers_for(converters: Converters, operation: Any) -> Sequence[LayerReader]:
    """Return the readers of a layer or operation; a layer is traced where it has none, or none that can.

    Where the user has a converter of a layer, that is traced in the place of the layer's own `call`. A layer with
    quantised weights is traced, as its reader would take these for its kernel.
    """
    if not isinstance(operation, keras.layers.Layer):
        name = type(operation).__name__
        if name in OPERATIONS and keras_internals.is_keras_module(type(operation).__module__):
            return [OPERATIONS[name]]
        raise UnreadableError(f"{name} is not covered")
    if own := converters.get(layer_target(type(operation))):
        return [partial(traced, call_of=partial(own.function, operation))]
    quantised = _is_quantised(operation)
    if quantised and isinstance(operation, keras.layers.TimeDistributed):
        raise UnreadableError("Keras leaves out the scale of a quantised layer in TimeDistributed: call it by itself")
    kinds = WRAPPERS if quantised else {**LAYERS, **WRAPPERS, **CONVOLUTIONAL_LSTMS}
    readers = [reader for name, reader in kinds.items() if type(operation) is getattr(keras.layers, name)]
    return [*readers, traced]


def _is_quantised(layer: Any) -> bool:
    return any(getattr(each, "quantization_mode", None) for each in keras_internals.all_layers(layer))
