"""Build a `Graph` from a Keras model, with one canonical form for each computation (see `graph/graph.py`).

The readers of layers and operations are in `layers.py`, `shape_layers.py`, `wrappers.py` and `operations.py`. Layers
without a reader are refused, all in one error, before anything is written.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field, fields
from typing import Any

import keras
import numpy as np

from ...backends import keras_internals
from ...engine.keras_model.architecture import default_layer_name
from ...engine.keras_model.interface import pack
from ...graph.graph import (
    ArrayReference,
    ConfigValue,
    Graph,
    GraphLayer,
    GraphNode,
    GraphOperand,
    Input,
    Output,
    Owner,
    Spec,
)
from ...graph.layer_kinds import NEVER_TRAINED
from ...graph.source import identifier
from .activations import activation_of
from .calls import LayerCall, is_layer_graph, ordered_calls
from .layer_names import LayerNames
from .origins import Origins

Weights = Mapping[str, Any]
LayerReader = Callable[["GraphReader", LayerCall], Sequence[ArrayReference]]


# The kind of the placeholder node for a layer that could not be read, until `read` raises the error.
UNREADABLE = "unreadable"


class UnreadableError(Exception):
    """Why one layer cannot be read; `read` collects the reasons."""


@dataclass
class _Draft:
    """The graph as far as it is read.

    Attributes:
        nodes: its nodes.
        names: the names that are in use.
        layers: its layers, by the id of the Keras layer or weight, and the role.
        holders: the layer of the graph that has a trained weight, by the id of the weight.
        shared: the ids of weights that are used by themselves too.
        specs: shape and dtype of each array.
        masked: the arrays that a mask comes with.
        problems: why layers cannot be read, by name.
        left_out: layers that change nothing when the model answers.
        origins: what each part was in the Keras model.
    """

    nodes: list[GraphNode] = field(default_factory=list)
    names: set[str] = field(default_factory=set)
    layers: dict[tuple[int, str], GraphLayer] = field(default_factory=dict)
    holders: dict[int, str] = field(default_factory=dict)
    shared: set[int] = field(default_factory=set)
    specs: dict[ArrayReference, Spec] = field(default_factory=dict)
    masked: set[ArrayReference] = field(default_factory=set)
    problems: dict[str, str] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)
    origins: Origins = field(default_factory=Origins)

    def copy(self) -> _Draft:
        return _Draft(**{part.name: copy(getattr(self, part.name)) for part in fields(self)})


class GraphReader:
    """Reads a model call by call and collects the nodes of its graph.

    Args:
        readers_for: returns the readers of a layer or operation, of which the first that can reads it; raises
            UnreadableError if there is none.
        inner_model: the trained model, if the model that is read wraps it in preprocessing layers.
        whole: the only layer of the model, if that is a model with a `call` of its own.

    Attributes:
        batch: an array whose first axis is the batch: the model's first input.
    """

    def __init__(
        self, readers_for: Callable[[Any], Sequence[LayerReader]], inner_model: Any = None, whole: Any = None
    ) -> None:
        self._readers_for = readers_for
        self._inner_model = inner_model
        self._whole = whole
        self._draft = _Draft()
        # Kept alive, because layers are looked up by id, and Python reuses the ids of deleted objects.
        self._operations: list[Any] = []
        self._prefix = ""
        self._owners: tuple[Owner, ...] = ()
        self._names = LayerNames(())
        self.batch = ArrayReference("")

    @property
    def problems(self) -> dict[str, str]:
        """Why layers cannot be read, by name."""
        return self._draft.problems

    @property
    def left_out(self) -> list[str]:
        """Layers that change nothing when the model answers."""
        return self._draft.left_out

    @property
    def origins(self) -> Origins:
        """What each part of the graph was in the Keras model."""
        return self._draft.origins

    def leave_out(self, layer: Any, what: str = "") -> None:
        """Leave out a layer, or what it does, that changes nothing when the model answers; the report names it."""
        self.left_out.append(f"{layer.name} ({type(layer).__name__}{what})")

    def graph(self, model: Any) -> Graph:
        self._names = LayerNames(keras_internals.all_layers(model))
        inputs = []
        for tensor in model.inputs:
            graph_input = Input(self._name(tensor.name), Spec(tuple(tensor.shape), tensor.dtype))
            self._draft.specs[ArrayReference(graph_input.name)] = graph_input.spec
            inputs.append(graph_input)
        references = [ArrayReference(graph_input.name) for graph_input in inputs]
        self.batch = references[0]
        results = self._run(model.inputs, model.outputs, references)
        named_model = self._inner_model or model
        names = _output_names(named_model)
        outputs = tuple(Output(name, result) for name, result in zip(names, results, strict=True))
        return Graph(
            identifier(named_model.name), tuple(inputs), tuple(self._draft.nodes), outputs, tuple(self.left_out)
        )

    def _run(
        self, inputs: Sequence[Any], outputs: Sequence[Any], values: Sequence[ArrayReference]
    ) -> list[ArrayReference]:
        """Add the calls between symbolic tensors, and return the references of the outputs."""
        references = {id(tensor): ref for tensor, ref in zip(inputs, values, strict=True)}

        def fill_in(leaf: Any) -> Any:
            return references[id(leaf)] if isinstance(leaf, keras.KerasTensor) else leaf

        computed = [tensor for tensor in outputs if id(tensor) not in references]
        for call in ordered_calls(inputs, computed):
            arguments = keras.tree.map_structure(fill_in, call.arguments)
            results = self.call(LayerCall(call.operation, arguments, call.outputs))
            references.update((id(tensor), ref) for tensor, ref in zip(call.outputs, results, strict=True))
        return [references[id(tensor)] for tensor in outputs]

    def call(self, call: LayerCall) -> Sequence[ArrayReference]:
        """Add one call; if it cannot be read, record why, add a placeholder, and go on."""
        self._operations.append(call.operation)
        try:
            results = self._nested(call) if is_layer_graph(call.operation) else self._first_that_reads(call)
        except UnreadableError as reason:
            self.problems.setdefault(self._prefix + call.operation.name, str(reason))
            return self.add(call, UNREADABLE, (), role=UNREADABLE)
        self.origins.results.append((call.operation, tuple(results)))
        if self._masks_outputs(call):
            self._draft.masked.update(result for result in results if self.spec(result).rank > 2)
        return results

    def _masks_outputs(self, call: LayerCall) -> bool:
        """Return whether a mask comes with what a layer returns, which no argument shows: Keras hangs it on tensors."""
        layer = call.operation
        if (isinstance(layer, keras.layers.Embedding) and layer.mask_zero) or isinstance(layer, keras.layers.Masking):
            return True
        arrays = {leaf for leaf in keras.tree.flatten(call.arguments) if isinstance(leaf, ArrayReference)}
        return bool(getattr(layer, "supports_masking", False)) and any(map(self.is_masked, arrays))

    def is_masked(self, value: ArrayReference) -> bool:
        """Return whether a mask comes with an array of a model that answers."""
        return value in self._draft.masked

    def _first_that_reads(self, call: LayerCall) -> Sequence[ArrayReference]:
        """Return what the first reader of a layer gives that can read it; raise the reason of the first if none can."""
        first, *others = self._readers_for(call.operation)
        before = self._draft.copy()
        try:
            return first(self, call)
        except UnreadableError:
            for reader in others:
                self._draft = before.copy()
                with contextlib.suppress(UnreadableError):
                    results = reader(self, call)
                    if self.problems == before.problems:
                        return results
            self._draft = before
            raise

    def _nested(self, call: LayerCall) -> Sequence[ArrayReference]:
        model = call.operation
        inputs = [ref for ref in keras.tree.flatten(call.arguments) if isinstance(ref, ArrayReference)]
        if len(inputs) != len(model.inputs):
            raise UnreadableError("is called with another number of inputs than it has")
        inputs = [
            self.cast(call, ref, tensor.dtype, role=f"cast_{index}")
            for index, (ref, tensor) in enumerate(zip(inputs, model.inputs, strict=True))
        ]
        is_trained_model = self._inner_model is not None and model.name == self._inner_model.name
        arrays = self._with_known_lengths(model, inputs)
        return self.inline("" if is_trained_model else self._names.name(model), *arrays, inputs)

    def _with_known_lengths(self, model: Any, values: Sequence[ArrayReference]) -> tuple[list[Any], list[Any]]:
        """Return symbolic inputs and outputs of a nested model, by the lengths of the arrays that it is called with.

        Its own are open where it takes any length, and a layer within it may need the length.
        """
        shapes = [self.spec(value).shape for value in values]
        if all(shape[1:] == tuple(tensor.shape)[1:] for shape, tensor in zip(shapes, model.inputs, strict=True)):
            return model.inputs, model.outputs
        inputs = [keras.KerasTensor(shape, tensor.dtype) for shape, tensor in zip(shapes, model.inputs, strict=True)]
        return inputs, keras.tree.flatten(model.call(pack(model, "input", inputs)))

    # --- used by the readers of layers and operations ---------------------------------------------------------------

    def inline(
        self, name: str, inputs: Sequence[Any], outputs: Sequence[Any], values: Sequence[ArrayReference]
    ) -> list[ArrayReference]:
        """Add the calls between symbolic tensors, and return the references of the outputs.

        Args:
            name: of the layer whose calls they are: the prefix of their names, or empty.
            values: of the inputs.
        """
        outer_prefix = self._prefix
        self._prefix += f"{name}_" if name else ""
        results = self._run(inputs, outputs, values)
        self._prefix = outer_prefix
        return results

    def local_name(self, layer: Any) -> str:
        """Return what the names of a layer's parts begin with; those of the parts of the whole model have no prefix."""
        return "" if layer is self._whole else self._names.name(layer)

    @contextlib.contextmanager
    def owned_by(self, layer: Any) -> Iterator[None]:
        """While it lasts, the nodes that are added are the call of a layer that a user wrote."""
        if layer is self._whole:
            yield
            return
        kind, outer = type(layer).__name__, self._owners
        owner = Owner(identifier(self._prefix + self._names.name(layer)), default_layer_name(kind), kind)
        self._owners = (*outer, owner)
        try:
            yield
        finally:
            self._owners = outer

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
        if key not in self._draft.layers:
            name = self._name(self._prefix + self._names.name(call.operation) + (f"_{role}" if role else ""))
            trainable = bool(getattr(call.operation, "trainable", True))
            self._draft.layers[key] = self._layer(name, kind, config or {}, weights or {}, trainable)
        specs = specs_of(call) if outputs is None else outputs
        return self._call(self._draft.layers[key], inputs, specs, arguments or {})

    def share(self, weight: keras.Variable) -> None:
        """Note that a weight is used by itself too, so that layers which are read from now on take it as an array."""
        self._draft.shared.add(id(weight))

    def is_shared(self, weight: keras.Variable) -> bool:
        return id(weight) in self._draft.shared

    def parameter(self, call: LayerCall, weight: keras.Variable) -> ArrayReference:
        """Add a weight as an array. It is one weight, by whatever layers it is used."""
        key = (id(weight), "")
        if key not in self._draft.layers:
            name = self._name("_".join(filter(None, (self._prefix + self.local_name(call.operation), weight.name))))
            kind, role = ("parameter", "weight") if weight.trainable else ("constant", "value")
            self._draft.layers[key] = self._layer(name, kind, {}, {role: weight}, bool(weight.trainable))
        dtype = keras.backend.standardize_dtype(weight.dtype)
        return self._call(self._draft.layers[key], (), [Spec(tuple(weight.shape), dtype)], {})[0]

    def _layer(
        self, name: str, kind: str, config: Mapping[str, ConfigValue], weights: Weights, trainable: bool
    ) -> GraphLayer:
        _require_alike(weights)
        for weight, variable in weights.items():
            if isinstance(variable, keras.Variable) and variable.trainable:
                holder = self._draft.holders.setdefault(id(variable), name)
                if holder != name:
                    raise UnreadableError(f"its {weight} is a weight of {holder} too, and tied weights are not covered")
        variables = {(name, weight): v for weight, v in weights.items() if isinstance(v, keras.Variable)}
        self.origins.variables.update(variables)
        arrays = {weight: _array(value) for weight, value in weights.items() if value is not None}
        return GraphLayer(name, kind, dict(config), arrays, trainable)

    def _call(
        self,
        layer: GraphLayer,
        inputs: Sequence[GraphOperand],
        specs: Sequence[Spec],
        arguments: Mapping[str, ConfigValue],
    ) -> tuple[ArrayReference, ...]:
        """Add a call of a layer of the graph, and return the references of its outputs."""
        is_first = ArrayReference(layer.name) not in self._draft.specs
        node_name = layer.name if is_first else self._name(layer.name)
        self._draft.nodes.append(
            GraphNode(node_name, layer, tuple(inputs), tuple(specs), dict(arguments), self._owners)
        )
        references = tuple(ArrayReference(node_name, index) for index in range(len(specs)))
        self._draft.specs.update(zip(references, specs, strict=True))
        return references

    def activation(self, call: LayerCall, value: ArrayReference, function: Any) -> ArrayReference:
        """Add a layer's activation function; a linear one adds no node."""
        kind_and_config = activation_of(function, self.spec(value).rank)
        if kind_and_config is None:
            raise UnreadableError(f"its activation {getattr(function, '__name__', function)} is not one of Keras'")
        kind, config = kind_and_config
        if kind == "linear":
            return value
        self.origins.before_activation.append((call.operation, value))
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
        return self._draft.specs[value]

    def _name(self, preferred: str) -> str:
        name = identifier(preferred, self._draft.names)
        self._draft.names.add(name)
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


def _require_alike(weights: Weights) -> None:
    """Raise an UnreadableError where a layer's weights are trained in part. Statistics are never trained."""
    variables = [variable for variable in weights.values() if isinstance(variable, keras.Variable)]
    trained = {variable.trainable for variable in variables if variable.name not in NEVER_TRAINED}
    if len(trained) > 1:
        raise UnreadableError("trains some of its weights and not others, which is not covered: freeze the layer")
