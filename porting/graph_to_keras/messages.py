"""A `ForeignGraph` as a message to the worker that builds the Keras model: JSON and arrays."""

from __future__ import annotations

from typing import Any

import numpy as np

from .foreign_graph import ForeignGraph, ForeignNode, GraphInput, Operand, Ref, Weight

_REF = "ref"


def to_message(graph: ForeignGraph) -> dict[str, Any]:
    """Return the message of a graph."""
    return {
        "name": graph.name,
        "source": graph.source,
        "inputs": [vars(graph_input) for graph_input in graph.inputs],
        "nodes": [
            {
                **{name: getattr(node, name) for name in ("kind", "outputs", "operator")},
                "inputs": _pack(node.inputs),
                "attributes": {key: _pack(value) for key, value in node.attributes.items()},
            }
            for node in graph.nodes
        ],
        "outputs": graph.outputs,
        "weights": {name: vars(weight) for name, weight in graph.weights.items()},
    }


def from_message(message: dict[str, Any]) -> ForeignGraph:
    """Return the graph of a message."""
    return ForeignGraph(
        message["name"],
        message["source"],
        tuple(GraphInput(**{**each, "shape": tuple(each["shape"])}) for each in message["inputs"]),
        tuple(
            ForeignNode(
                each["kind"],
                _unpack(each["inputs"]),
                tuple(each["outputs"]),
                {key: _unpack(value) for key, value in each["attributes"].items()},
                each["operator"],
            )
            for each in message["nodes"]
        ),
        tuple(message["outputs"]),
        {name: Weight(**weight) for name, weight in message["weights"].items()},
    )


def _pack(value: Operand) -> Any:
    if isinstance(value, Ref):
        return {_REF: value.name}
    return [_pack(each) for each in value] if isinstance(value, (tuple, list)) else value


def _unpack(value: Any) -> Operand:
    if isinstance(value, list):
        return tuple(_unpack(each) for each in value)
    return Ref(value[_REF]) if isinstance(value, dict) and not isinstance(value, np.ndarray) else value
