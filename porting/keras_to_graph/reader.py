"""Keras' model read as a `Graph`, in which the same thing is always said in the same way (see `graph/graph.py`).

What each layer and operation becomes stands in `layers.py`, `wrappers.py` and `operations.py`. What none of them
knows is refused, all of it in one error, before anything is written.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
import numpy as np

from ...graph.graph import Graph, Input, Layer, Node, Operand, Output, Reference, Spec, Value
from ...graph.source import identifier
from .activations import activation_of
from .calls import Call, calls_of, is_graph

Weights = Mapping[str, Any]
Reader = Callable[["Reading", Call], Sequence[Reference]]


# What stands in the graph for what could not be read, until `read` refuses it.
UNREADABLE = "unreadable"


class UnreadableError(Exception):
    """Why one layer cannot be read; `read` gathers them."""


class Reading:
    """A graph in the making.

    Args:
        reader_of: the function that reads a layer or operation; raises UnreadableError where there is none.
        inner: where a nested model is the model proper, that model.
    """

    def __init__(self, reader_of: Callable[[Any], Reader], inner: Any = None) -> None:
        self._reader_of = reader_of
        self._inner = inner
        self.problems: dict[str, str] = {}
        self._nodes: list[Node] = []
        self._names: set[str] = set()
        self._layers: dict[tuple[int, str], Layer] = {}
        self._specs: dict[Reference, Spec] = {}
        # What has been read, held on to so that no id is used again for something else.
        self._held: list[Any] = []
        self._prefix = ""

    def graph(self, model: Any) -> Graph:
        inputs = []
        for tensor in model.inputs:
            given = Input(self._name(tensor.name), Spec(tuple(tensor.shape), tensor.dtype))
            self._specs[Reference(given.name)] = given.spec
            inputs.append(given)
        results = self.run(model, [Reference(given.name) for given in inputs])
        proper = self._inner or model
        names = _output_names(proper)
        outputs = tuple(Output(name, result) for name, result in zip(names, results, strict=True))
        return Graph(identifier(proper.name), tuple(inputs), tuple(self._nodes), outputs)

    def run(self, model: Any, inputs: Sequence[Reference]) -> list[Reference]:
        """Add the calls of a model, given what goes into it; what comes out of it."""
        known = {id(tensor): ref for tensor, ref in zip(model.inputs, inputs, strict=True)}

        def fill_in(leaf: Any) -> Any:
            return known[id(leaf)] if isinstance(leaf, keras.KerasTensor) else leaf

        for call in calls_of(model):
            filled = keras.tree.map_structure(fill_in, call.arguments)
            results = self.call(Call(call.operation, filled, call.outputs))
            known.update((id(tensor), ref) for tensor, ref in zip(call.outputs, results, strict=True))
        return [known[id(tensor)] for tensor in model.outputs]

    def call(self, call: Call) -> Sequence[Reference]:
        """Add one call; where it cannot be read, note why and go on."""
        self._held.append(call.operation)
        try:
            if is_graph(call.operation):
                return self._nested(call)
            return self._reader_of(call.operation)(self, call)
        except UnreadableError as reason:
            self.problems.setdefault(self._prefix + call.operation.name, str(reason))
            return self.add(call, UNREADABLE, (), role=UNREADABLE)

    def _nested(self, call: Call) -> Sequence[Reference]:
        model = call.operation
        given = [ref for ref in keras.tree.flatten(call.arguments) if isinstance(ref, Reference)]
        if len(given) != len(model.inputs):
            raise UnreadableError("is called with other inputs than it has")
        given = [
            self.cast(call, ref, tensor.dtype, role=f"cast_{index}")
            for index, (ref, tensor) in enumerate(zip(given, model.inputs, strict=True))
        ]
        before = self._prefix
        if self._inner is None or model.name != self._inner.name:
            self._prefix = f"{before}{model.name}_"
        results = self.run(model, given)
        self._prefix = before
        return results

    # --- what the readers of layers and operations build with -------------------------------------------------------

    def add(
        self,
        call: Call,
        kind: str,
        inputs: Sequence[Operand],
        *,
        config: Mapping[str, Value] | None = None,
        weights: Weights | None = None,
        role: str = "",
        outputs: Sequence[Spec] | None = None,
        arguments: Mapping[str, Value] | None = None,
    ) -> tuple[Reference, ...]:
        """Add a node.

        Args:
            call: what is being read.
            config, weights: of the layer; weights that are None are left out.
            role: what the node is for, when a call becomes several.
            outputs: what comes out; by default what comes out of the call.
            arguments: see `Node.arguments`.
        """
        key = (id(call.operation), role)
        layer = self._layers.get(key)
        if layer is None:
            name = self._prefix + call.operation.name + (f"_{role}" if role else "")
            held = {name: _array(value) for name, value in (weights or {}).items() if value is not None}
            trainable = bool(getattr(call.operation, "trainable", True))
            layer = self._layers[key] = Layer(self._name(name), kind, dict(config or {}), held, trainable)
            node_name = layer.name
        else:
            node_name = self._name(layer.name)
        specs = tuple(specs_of(call) if outputs is None else outputs)
        self._nodes.append(Node(node_name, layer, tuple(inputs), specs, dict(arguments or {})))
        references = tuple(Reference(node_name, index) for index in range(len(specs)))
        self._specs.update(zip(references, specs, strict=True))
        return references

    def activation(self, call: Call, value: Reference, function: Any) -> Reference:
        """An activation function after a layer, or nothing where it does nothing."""
        found = activation_of(function, self.spec(value).rank)
        if found is None:
            raise UnreadableError(f"its activation {getattr(function, '__name__', function)} is not one of Keras'")
        kind, config = found
        if kind == "linear":
            return value
        return self.add(call, kind, [value], config=config, role=kind, outputs=[self.spec(value)])[0]

    def cast(self, call: Call, value: Operand, dtype: str, role: str = "cast") -> Reference:
        """The value in this dtype; where it is a number, as an array."""
        if not isinstance(value, Reference):
            return self.constant(call, np.asarray(value, dtype), role)
        spec = self.spec(value)
        if spec.dtype == dtype:
            return value
        return self.add(call, "cast", [value], config={"dtype": dtype}, role=role, outputs=[Spec(spec.shape, dtype)])[0]

    def constant(self, call: Call, value: Any, role: str = "constant") -> Reference:
        """An array that is written into the model."""
        array = _array(value)
        return self.add(
            call, "constant", [], weights={"value": array}, role=role, outputs=[Spec(array.shape, array.dtype.name)]
        )[0]

    def spec(self, value: Reference) -> Spec:
        return self._specs[value]

    def _name(self, wanted: str) -> str:
        name = identifier(wanted, self._names)
        self._names.add(name)
        return name


def specs_of(call: Call) -> list[Spec]:
    """What is known of a call's outputs."""
    return [Spec(tuple(tensor.shape), tensor.dtype) for tensor in call.outputs]


def _output_names(model: Any) -> list[str]:
    names: list[str] = []
    for name in getattr(model, "output_names", None) or [model.layers[-1].name]:
        names.append(identifier(name, set(names)))
    return names


def _array(value: Any) -> np.ndarray:
    return np.asarray(keras.ops.convert_to_numpy(value))
