"""One node of an ONNX graph, the input of the translations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..foreign_graph import ForeignNode, Operand, Ref, Weight


@dataclass(frozen=True)
class OnnxCall:
    """One node of the graph.

    Attributes:
        operator: its name, such as "Conv".
        inputs: `Ref`s, or None for an omitted optional input.
        outputs: the names of its outputs, empty for an omitted one.
        attributes: plain values and arrays.
        version: the version of the operator set.
        arrays: the arrays that are stored in the file, by name.
        new_weights: collects the weights that a translation derives from others.
    """

    operator: str
    inputs: tuple[Ref | None, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Any]
    version: int
    arrays: Mapping[str, Weight]
    new_weights: dict[str, Weight] = field(default_factory=dict)

    def __getitem__(self, place: int) -> Ref | None:
        return self.inputs[place] if place < len(self.inputs) else None

    def get(self, name: str, default: Any = None) -> Any:
        return self.attributes.get(name, default)

    def attribute_or_input(self, name: str, place: int) -> Any:
        """Return a value that is an attribute in older operator sets and an input in newer ones."""
        return self.attributes[name] if name in self.attributes else self[place]

    def constant(self, operand: Ref | None) -> np.ndarray | None:
        """Return the value of an input that is stored in the file, or None."""
        return self.arrays[operand.name].value if operand and operand.name in self.arrays else None

    def add_weight(self, name: str, value: np.ndarray) -> Ref:
        """Add a weight that is derived from others, and return its reference."""
        self.new_weights[name] = Weight(name, np.ascontiguousarray(value), True, standalone=False)
        return Ref(name)

    def node(self, kind: str, *inputs: Operand, **attributes: Operand) -> ForeignNode:
        return ForeignNode(kind, inputs, self.outputs[:1], attributes, self.operator)
