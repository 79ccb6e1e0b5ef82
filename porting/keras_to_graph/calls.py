"""The calls that a functional Keras model is made of, in an order in which they can be computed.

Keras keeps them but shows them nowhere: `ordered_calls` is the one place that looks. tests/porting/test_calls.py notices
when they move.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import keras

from ...backends import keras_internals


@dataclass(frozen=True, eq=False)
class LayerCall:
    """One call of a layer or of an operation of `keras.ops`.

    Attributes:
        operation: the layer or operation.
        arguments: what its `call` got, by its parameters' names; symbolic tensors where arrays will be.
        outputs: the symbolic tensors that it gave.
    """

    operation: Any
    arguments: dict[str, Any]
    outputs: list[Any]


def is_layer_graph(operation: Any) -> bool:
    """Whether it is a model that is nothing but a graph of layers: Keras' own Sequential or functional, and built."""
    if not isinstance(operation, keras.Model):
        return False
    return type(operation).call in _keras_calls() and bool(getattr(operation, "inputs", None))


@functools.cache
def _keras_calls() -> tuple[Any, ...]:
    inputs = keras.Input(())
    return keras.Sequential.call, type(keras.Model(inputs, inputs)).call


def ordered_calls(model: Any) -> Iterator[LayerCall]:
    """Each call between the model's inputs and outputs, after all those that it needs.

    Args:
        model: one that `is_layer_graph`.
    """
    # A new function over the same tensors: a Sequential keeps its own elsewhere than a functional model does.
    function = keras.Function(model.inputs, model.outputs)
    makers = {id(tensor): node for node in keras_internals.nodes_of(function) for tensor in node.outputs}
    done = {id(tensor) for tensor in model.inputs}
    stack = list(reversed(model.outputs))
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
    """The arguments of a call by name; a `*variadic` parameter is a tuple under its own."""
    signature_arguments = node.arguments
    bound = inspect.signature(node.operation.call).bind(*signature_arguments.args, **signature_arguments.kwargs)
    arguments = dict(bound.arguments)
    variable = [p.name for p in bound.signature.parameters.values() if p.kind is p.VAR_KEYWORD]
    for name in variable:
        arguments |= arguments.pop(name, {})
    return arguments
