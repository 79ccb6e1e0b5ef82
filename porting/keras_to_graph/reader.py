"""Build a `Graph` from a Keras model, with one canonical form for each computation (see `graph/graph.py`).

The readers of layers and operations are in `layers.py`, `shape_layers.py`, `wrappers.py` and `operations.py`. Layers
without a reader are refused, all in one error, before anything is written.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
import numpy as np

from ...graph.graph import ArrayReference, ConfigValue, Graph, GraphLayer, GraphNode, GraphOperand, Input, Output, Spec
from ...graph.source import identifier
from .activations import activation_of
from .calls import LayerCall, is_layer_graph, ordered_calls

Weights = Mapping[str, Any]
LayerReader = Callable[["GraphReader", LayerCall], Sequence[ArrayReference]]


# The kind of the placeholder node for a layer that could not be read, until `read` raises the error.
UNREADABLE = "unreadable"


class UnreadableError(Exception):
    """Why one layer cannot be read; `read` collects the reasons."""


class GraphReader:
    """Reads a model call by call and collects the nodes of its graph.

    Args:
        reader_for: returns the reader of a layer or operation; raises UnreadableError if there is none.
        inner_model: the trained model, if the model that is read wraps it in preprocessing layers.
    """

    def __init__(self, reader_for: Callable[[Any], LayerReader], inner_model: Any = None) -> None:
        self._reader_for = reader_for
        self._inner_model = inner_model
        self.problems: dict[str, str] = {}
        self.left_out: list[str] = []
        self._nodes: list[GraphNode] = []
        self._names: set[str] = set()
        self._layers: dict[tuple[int, str], GraphLayer] = {}
        self._specs: dict[ArrayReference, Spec] = {}
        # Kept alive, because layers are looked up by id, and Python reuses the ids of deleted objects.
        self._operations: list[Any] = []
        self._prefix = ""

    def graph(self, model: Any) -> Graph:
        inputs = []
        for tensor in model.inputs:
            graph_input = Input(self._name(tensor.name), Spec(tuple(tensor.shape), tensor.dtype))
            self._specs[ArrayReference(graph_input.name)] = graph_input.spec
            inputs.append(graph_input)
        results = self.run(model, [ArrayReference(graph_input.name) for graph_input in inputs])
        named_model = self._inner_model or model
        names = _output_names(named_model)
        outputs = tuple(Output(name, result) for name, result in zip(names, results, strict=True))
        return Graph(identifier(named_model.name), tuple(inputs), tuple(self._nodes), outputs, tuple(self.left_out))

    def run(self, model: Any, inputs: Sequence[ArrayReference]) -> list[ArrayReference]:
        """Add the calls of a model on these inputs, and return the references of its outputs."""
        references = {id(tensor): ref for tensor, ref in zip(model.inputs, inputs, strict=True)}

        def fill_in(leaf: Any) -> Any:
            return references[id(leaf)] if isinstance(leaf, keras.KerasTensor) else leaf

        for call in ordered_calls(model):
            arguments = keras.tree.map_structure(fill_in, call.arguments)
            results = self.call(LayerCall(call.operation, arguments, call.outputs))
            references.update((id(tensor), ref) for tensor, ref in zip(call.outputs, results, strict=True))
        return [references[id(tensor)] for tensor in model.outputs]

    def call(self, call: LayerCall) -> Sequence[ArrayReference]:
        """Add one call; if it cannot be read, record why, add a placeholder, and go on."""
        self._operations.append(call.operation)
        try:
            if is_layer_graph(call.operation):
                return self._nested(call)
            return self._reader_for(call.operation)(self, call)
        except UnreadableError as reason:
            self.problems.setdefault(self._prefix + call.operation.name, str(reason))
            return self.add(call, UNREADABLE, (), role=UNREADABLE)

    def _nested(self, call: LayerCall) -> Sequence[ArrayReference]:
        model = call.operation
        inputs = [ref for ref in keras.tree.flatten(call.arguments) if isinstance(ref, ArrayReference)]
        if len(inputs) != len(model.inputs):
            raise UnreadableError("is called with another number of inputs than it has")
        inputs = [
            self.cast(call, ref, tensor.dtype, role=f"cast_{index}")
            for index, (ref, tensor) in enumerate(zip(inputs, model.inputs, strict=True))
        ]
        outer_prefix = self._prefix
        if self._inner_model is None or model.name != self._inner_model.name:
            self._prefix = f"{outer_prefix}{model.name}_"
        results = self.run(model, inputs)
        self._prefix = outer_prefix
        return results

    # --- used by the readers of layers and operations ---------------------------------------------------------------

    def add(
        self,
        call: LayerCall,
        kind: str,
        inputs: Sequence[GraphOperand],
        *,
        config: Mapping[str, ConfigValue] | None = None,
        weights: Weights | None = None,
        role: str = "",
        outputs: Sequence[Spec] | None = None,
        arguments: Mapping[str, ConfigValue] | None = None,
    ) -> tuple[ArrayReference, ...]:
        """Add a node.

        Args:
            call: the call that is being read.
            config, weights: the layer's; weights that are None are left out.
            role: the node's part in the call, if a call becomes several nodes.
            outputs: the specs of the outputs; by default those of the call.
            arguments: see `GraphNode.arguments`.
        """
        key = (id(call.operation), role)
        layer = self._layers.get(key)
        if layer is None:
            name = self._prefix + call.operation.name + (f"_{role}" if role else "")
            arrays = {name: _array(value) for name, value in (weights or {}).items() if value is not None}
            trainable = bool(getattr(call.operation, "trainable", True))
            layer = self._layers[key] = GraphLayer(self._name(name), kind, dict(config or {}), arrays, trainable)
            node_name = layer.name
        else:
            node_name = self._name(layer.name)
        specs = tuple(specs_of(call) if outputs is None else outputs)
        self._nodes.append(GraphNode(node_name, layer, tuple(inputs), specs, dict(arguments or {})))
        references = tuple(ArrayReference(node_name, index) for index in range(len(specs)))
        self._specs.update(zip(references, specs, strict=True))
        return references

    def activation(self, call: LayerCall, value: ArrayReference, function: Any) -> ArrayReference:
        """Add a layer's activation function; a linear one adds no node."""
        kind_and_config = activation_of(function, self.spec(value).rank)
        if kind_and_config is None:
            raise UnreadableError(f"its activation {getattr(function, '__name__', function)} is not one of Keras'")
        kind, config = kind_and_config
        if kind == "linear":
            return value
        return self.add(call, kind, [value], config=config, role=kind, outputs=[self.spec(value)])[0]

    def cast(self, call: LayerCall, value: GraphOperand, dtype: str, role: str = "cast") -> ArrayReference:
        """Return the value cast to a dtype, without a node if it already has it; a number becomes a constant array."""
        if not isinstance(value, ArrayReference):
            return self.constant(call, np.asarray(value, dtype), role)
        spec = self.spec(value)
        if spec.dtype == dtype:
            return value
        return self.add(call, "cast", [value], config={"dtype": dtype}, role=role, outputs=[Spec(spec.shape, dtype)])[0]

    def constant(self, call: LayerCall, value: Any, role: str = "constant") -> ArrayReference:
        """Add a constant array."""
        array = _array(value)
        return self.add(
            call, "constant", [], weights={"value": array}, role=role, outputs=[Spec(array.shape, array.dtype.name)]
        )[0]

    def spec(self, value: ArrayReference) -> Spec:
        return self._specs[value]

    def _name(self, preferred: str) -> str:
        name = identifier(preferred, self._names)
        self._names.add(name)
        return name


def specs_of(call: LayerCall) -> list[Spec]:
    """Return the specs of a call's outputs."""
    return [Spec(tuple(tensor.shape), tensor.dtype) for tensor in call.outputs]


def _output_names(model: Any) -> list[str]:
    names: list[str] = []
    for name in getattr(model, "output_names", None) or [model.layers[-1].name]:
        names.append(identifier(name, set(names)))
    return names


def _array(value: Any) -> np.ndarray:
    return np.asarray(keras.ops.convert_to_numpy(value))
