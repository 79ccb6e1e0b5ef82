"""One node of an ONNX graph, as the translations of its operators see it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..foreign_graph import Node, Operand, Ref, Weight


@dataclass(frozen=True)
class Call:
    """One node of the graph.

    Attributes:
        operator: its name, such as "Conv".
        inputs: `Ref`s, None where an optional one is left out.
        outputs: the names of what it gives, empty where that is left out.
        attributes: plain values and arrays.
        version: of the operator set.
        arrays: what is known of the graph's values beforehand, by name.
        made: takes weights that the translation makes of others.
    """

    operator: str
    inputs: tuple[Ref | None, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Any]
    version: int
    arrays: Mapping[str, Weight]
    made: dict[str, Weight] = field(default_factory=dict)

    def __getitem__(self, place: int) -> Ref | None:
        return self.inputs[place] if place < len(self.inputs) else None

    def get(self, name: str, default: Any = None) -> Any:
        return self.attributes.get(name, default)

    def either(self, name: str, place: int) -> Any:
        """What is an attribute in older operator sets and an input in newer ones."""
        return self.attributes[name] if name in self.attributes else self[place]

    def known(self, operand: Ref | None) -> np.ndarray | None:
        """The values of an input that the file brings, or None."""
        return self.arrays[operand.name].value if operand and operand.name in self.arrays else None

    def weight(self, name: str, value: np.ndarray) -> Ref:
        """A weight made of others."""
        self.made[name] = Weight(name, np.ascontiguousarray(value), True, alone=False)
        return Ref(name)

    def node(self, kind: str, *inputs: Operand, **attributes: Operand) -> Node:
        return Node(kind, inputs, self.outputs[:1], attributes, self.operator)
