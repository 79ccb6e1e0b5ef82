"""A model with a `call` of its own as a functional model: one call of it on symbolic inputs.

Keras keeps the shapes that such a model was called with. It keeps no dtypes, so an input that goes into an `Embedding`
is taken for integers, and any other for floats.
"""

from __future__ import annotations

import inspect
from collections.abc import Collection
from typing import Any

import keras

from ...errors import PortError
from .calls import is_layer_graph, ordered_calls
from .reader import UnreadableError
from .tracing import trace_call


def over_inputs(model: Any) -> Any:
    """Return a model with symbolic inputs; one that has them already is returned as it is.

    Raises:
        PortError: the model was never called, so that the shapes of its inputs are unknown; or it cannot be called on
            symbolic inputs.
    """
    if getattr(model, "inputs", None):
        return model
    shapes = (model.get_build_config() or {}).get("input_shape")
    if shapes is None or not model.weights:
        raise PortError(
            f"{model.name} has a `call` of its own, and the shapes of its inputs are not known: call it once on data "
            "with one argument before it is saved, or build it with keras.Model(inputs, outputs)"
        )
    name = next(iter(inspect.signature(model.call).parameters))
    inputs = _inputs(name, shapes)
    if tokens := _tokens(model, name, inputs):
        inputs = _inputs(name, shapes, tokens)
    try:
        return keras.Model(inputs, model(inputs), name=model.name)
    except Exception as error:  # its `call` may raise anything
        raise PortError(f"{model.name} cannot be called on symbolic inputs: {type(error).__name__}: {error}") from error


def whole_model(model: Any) -> Any:
    """Return the only layer of a functional model if that is a model with a `call` of its own, or None."""
    layers = [layer for layer in model.layers if not isinstance(layer, keras.layers.InputLayer)]
    is_own = len(layers) == 1 and isinstance(layers[0], keras.Model) and not is_layer_graph(layers[0])
    return layers[0] if is_own else None


def _inputs(name: str, shapes: Any, tokens: Collection[str] = ()) -> Any:
    """Return an input for each shape in a structure; those with the names of tokens are integers."""
    if isinstance(shapes, dict):
        return {key: _inputs(key, shape, tokens) for key, shape in shapes.items()}
    if any(isinstance(each, (list, tuple, dict)) for each in shapes):
        return [_inputs(f"{name}_{place}", shape, tokens) for place, shape in enumerate(shapes)]
    return keras.Input(tuple(shapes[1:]), dtype="int32" if name in tokens else "float32", name=name)


def _tokens(model: Any, name: str, inputs: Any) -> list[str]:
    """Return the names of the inputs that go into an `Embedding`."""
    tensors = keras.tree.flatten(inputs)
    try:
        trace = trace_call(model, model.call, {name: inputs}, tensors)
    except UnreadableError:  # the port says so where it reads the model
        return []
    read = {
        id(tensor)
        for call in ordered_calls([*trace.arrays, *trace.weights.tensors], trace.outputs)
        if isinstance(call.operation, keras.layers.Embedding)
        for tensor in keras.tree.flatten(call.arguments)
    }
    return [tensor.name for tensor in tensors if id(tensor) in read]
