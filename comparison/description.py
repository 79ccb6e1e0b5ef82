"""What a worker tells of one model: its graph, its weights, and which recorded array is the result of which node."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..backends import runtime
from ..engine.verification.measurements import activation_record, layer_record
from ..engine.verification.model_under_test import ModelUnderTest, build, fresh_keras
from ..engine.verification.tolerances import ArrayKey
from ..graph.graph import ArrayReference, Graph, GraphLayer, GraphNode, Input, Output, Spec
from .weight_map import WeightKey


@dataclass(frozen=True)
class Description:
    """One model, as its worker described it.

    Attributes:
        graph: the model as data.
        variables: the path of the variable of each weight; a constant has none.
        records: the recorded array of each node that has one: see `measurements.measure`.
    """

    graph: Graph
    variables: dict[WeightKey, str]
    records: dict[str, ArrayKey]


def from_message(message: dict[str, Any]) -> Description:
    """Return the description that `describe` sent."""
    layers = {
        each["name"]: GraphLayer(**{**each, "config": {name: _tuples(v) for name, v in each["config"].items()}})
        for each in message["layers"]
    }
    nodes = [
        GraphNode(
            each["name"],
            layers[each["layer"]],
            tuple(ArrayReference(*ref) if isinstance(ref, list) else ref for ref in each["inputs"]),
            tuple(_spec(spec) for spec in each["outputs"]),
            {name: _tuples(value) for name, value in each["arguments"].items()},
        )
        for each in message["nodes"]
    ]
    graph = Graph(
        message["name"],
        tuple(Input(name, _spec(spec)) for name, spec in message["inputs"]),
        tuple(nodes),
        tuple(Output(name, ArrayReference(*ref)) for name, ref in message["outputs"]),
        tuple(message["left_out"]),
    )
    variables = {(layer, weight): path for layer, weight, path in message["variables"]}
    return Description(graph, variables, {node: (name, number) for node, name, number in message["records"]})


def sources_of(graph: Graph) -> dict[str, tuple[str, list[str]]]:
    """Return for each input and node of a graph its kind, and the names of those that it is computed from."""
    inputs: dict[str, tuple[str, list[str]]] = {each.name: ("input", []) for each in graph.inputs}
    return inputs | {node.name: (node.kind, [ref.name for ref in node.references]) for node in graph.nodes}


def _spec(spec: Any) -> Spec:
    shape, dtype = spec
    return Spec(tuple(shape), dtype)


def _tuples(value: Any) -> Any:
    return tuple(map(_tuples, value)) if isinstance(value, (list, tuple)) else value


# --- run in a worker -----------------------------------------------------------------------------------------------


def describe(fields: dict[str, Any]) -> dict[str, Any]:
    """Build a model, and describe it as `from_message` reads it. Weights are sent with their values.

    Args:
        fields: those of the `ModelUnderTest`.

    Raises:
        PortError: the model is not a layer graph, or has layers that cannot be read.
    """
    runtime.current()
    from ..porting.keras_to_graph.model import read_with_origins

    with fresh_keras(float64=False):
        model, _ = build(ModelUnderTest(**{**fields, "float64": False, "without_dropout": False}))
        graph, origins = read_with_origins(model)
    return {
        **_graph_message(graph),
        "variables": [[*key, variable.path] for key, variable in origins.variables.items()],
        "records": _records(origins),
    }


def _graph_message(graph: Graph) -> dict[str, Any]:
    return {
        "name": graph.name,
        "inputs": [[each.name, [list(each.spec.shape), each.spec.dtype]] for each in graph.inputs],
        "layers": [
            {
                **{name: getattr(layer, name) for name in ("name", "kind", "trainable")},
                "config": dict(layer.config),
                "weights": {name: np.asarray(array) for name, array in layer.weights.items()},
            }
            for layer in graph.layers
        ],
        "nodes": [
            {
                "name": node.name,
                "layer": node.layer.name,
                "inputs": [
                    [each.name, each.index] if isinstance(each, ArrayReference) else each for each in node.inputs
                ],
                "outputs": [[list(spec.shape), spec.dtype] for spec in node.outputs],
                "arguments": dict(node.arguments),
            }
            for node in graph.nodes
        ],
        "outputs": [[each.name, [each.reference.name, each.reference.index]] for each in graph.outputs],
        "left_out": list(graph.left_out),
    }


def _records(origins: Any) -> list[list[Any]]:
    """Return for each node whose first output a layer returns, or activates, the name and number of that record."""
    import keras

    records, counts = [], Counter[str]()
    for layer, results in origins.results:
        if not isinstance(layer, keras.layers.Layer):
            continue
        name = layer_record(layer.name)
        if results and results[0].index == 0:
            records.append([results[0].name, name, counts[name]])
        counts[name] += len(results)
    for layer, reference in origins.before_activation:
        if isinstance(layer, keras.layers.Layer):
            name = activation_record(layer.name)
            records.append([reference.name, name, counts[name]])
            counts[name] += 1
    return records
