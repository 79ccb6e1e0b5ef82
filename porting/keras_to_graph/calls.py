"""The layer calls of a functional Keras model, in topological order.

Keras records the calls but has no public interface to them. Only `ordered_calls` reads them, so that a change in Keras
breaks one function; tests/porting/test_keras_to_graph.py notices it.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import keras

from ...backends import keras_internals


@dataclass(frozen=True, eq=False)
class LayerCall:
    """One call of a layer or of a `keras.ops` operation.

    Attributes:
        operation: the layer or operation.
        arguments: the arguments of `call` by parameter name; arrays are symbolic tensors.
        outputs: the symbolic tensors that it returned.
    """

    operation: Any
    arguments: dict[str, Any]
    outputs: list[Any]


def is_layer_graph(operation: Any) -> bool:
    """Return whether this is a built Sequential or functional model with Keras' own `call`, that is, a layer graph."""
    if not isinstance(operation, keras.Model):
        return False
    return type(operation).call in _keras_calls() and bool(getattr(operation, "inputs", None))


@functools.cache
def _keras_calls() -> tuple[Any, ...]:
    inputs = keras.Input(())
    return keras.Sequential.call, type(keras.Model(inputs, inputs)).call


def ordered_calls(inputs: Sequence[Any], outputs: Sequence[Any]) -> Iterator[LayerCall]:
    """Yield each call between symbolic tensors, after the calls that it depends on.

    Args:
        inputs, outputs: those of a model for which `is_layer_graph` is true, or of another graph of calls.
    """
    if not outputs:
        return
    # Build a new function over the same tensors: Sequential and functional models store their own in different places.
    connected = [tensor for tensor in inputs if keras_internals.is_in_graph(tensor)]
    function = keras.Function(connected, list(outputs))
    makers = {id(tensor): node for node in keras_internals.nodes_of(function) for tensor in node.outputs}
    done = {id(tensor) for tensor in inputs}
    stack = list(reversed(outputs))
    while stack:
        tensor = stack[-1]
        if id(tensor) in done:
            stack.pop()
            continue
        node = makers[id(tensor)]
        missing = [needed for needed in node.input_tensors if id(needed) not in done]
        if missing:
            stack.extend(reversed(missing))
            continue
        done.update(id(output) for output in node.outputs)
        yield LayerCall(node.operation, _arguments_by_name(node), list(node.outputs))


def _arguments_by_name(node: Any) -> dict[str, Any]:
    """Return the arguments of a call by name; those of a `*variadic` parameter are a tuple."""
    signature_arguments = node.arguments
    bound = inspect.signature(node.operation.call).bind(*signature_arguments.args, **signature_arguments.kwargs)
    arguments = dict(bound.arguments)
    variable = [p.name for p in bound.signature.parameters.values() if p.kind is p.VAR_KEYWORD]
    for name in variable:
        arguments |= arguments.pop(name, {})
    return arguments
