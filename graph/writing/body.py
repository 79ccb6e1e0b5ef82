"""The body of a function in the making: how a room's writer goes through a graph and names what it computes.

A room derives from `Writer`, gives it a handler for each kind, and puts the lines into its own kind of module. A value
is whatever the room needs to know of an array in the text; its text is a name, or an expression.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Generic, TypeVar

import numpy as np

from ..graph import Graph, Node, Operand, Reference, Spec
from ..source import identifier
from .layout import literal, statement

V = TypeVar("V")

_POOL = ("x", "y", "z", "u", "v", "w")


class Writer(ABC, Generic[V]):
    """Goes through a graph node by node.

    Args:
        graph: what is written.
        names: what the module already means by some names.
        indent: of the function's body, in spaces.

    Attributes:
        weights: what `weights.safetensors` will hold.
        lines: of the body.
        helpers: names of the pieces that the text has to hold beside it.
    """

    def __init__(self, graph: Graph, names: frozenset[str], indent: int):
        self.graph = graph
        self.weights: dict[str, np.ndarray] = {}
        self.lines: list[str] = []
        self.helpers: set[str] = set()
        self.values: dict[Reference, V] = {}
        self.taken: set[str] = set(names)
        self._indent = indent
        self._left = Counter({reference: len(readers) for reference, readers in graph.readers.items()})
        self._free: list[str] = []
        self._released: set[str] = set()

    @property
    @abstractmethod
    def handlers(self) -> Mapping[str, Callable[[Any, Node], Sequence[V]]]:
        """What writes each kind: it adds lines if it must, and gives the node's outputs."""

    @abstractmethod
    def text_of(self, value: V) -> str:
        """A value as text."""

    @abstractmethod
    def renamed(self, value: V, name: str) -> V:
        """The same value under a name."""

    # --- what handlers build with -----------------------------------------------------------------------------------

    def operand(self, operand: Operand) -> V | str:
        """An array, or a number as text."""
        return self.values[operand] if isinstance(operand, Reference) else literal(operand)

    def spec(self, node: Node, index: int = 0) -> Spec:
        """What is known of one of a node's inputs."""
        operand = node.inputs[index]
        return self.graph.specs[operand] if isinstance(operand, Reference) else Spec((), type(operand).__name__)

    def helper(self, name: str) -> str:
        """The name of a helper, which the text then holds."""
        self.helpers.add(name)
        return name

    def keep(self, node: Node, text: str) -> str:
        """Give an expression a name of its own, for one that is needed several times in the next."""
        return self.keep_as(self.name(node.name), text)

    def keep_as(self, name: str, text: str) -> str:
        """Give an expression this name."""
        self.line(f"{name} = {text}")
        return name

    def line(self, text: str, deeper: int = 0) -> None:
        """A statement of the body."""
        self.lines += statement(text, self._indent + deeper)

    def needed(self, node: Node, index: int) -> bool:
        """Whether anything still reads this output of a node."""
        return self._left[Reference(node.name, index)] > 0

    def uses(self, reference: Reference) -> int:
        """How many readers of an array have not been written yet."""
        return self._left[reference]

    def name(self, wanted: str) -> str:
        """A name for a local variable: one that is free again, a short one, or the one that is wanted."""
        if self._free:
            return self._free.pop()
        found = next((name for name in _POOL if name not in self.taken), None) or identifier(wanted, self.taken)
        self.taken.add(found)
        return found

    def drop(self, name: str) -> None:
        """Let a name that `keep` or `name` gave be used again."""
        self._free.append(name)

    def release(self, node: Node) -> None:
        """Free the names that nothing needs after this node; its inputs must be in the text already."""
        if node.name in self._released:
            return
        self._released.add(node.name)
        for reference in node.references:
            self._left[reference] -= 1
            if not self._left[reference]:
                self._free_name(self.text_of(self.values[reference]))

    # --- going through ----------------------------------------------------------------------------------------------

    def run(self) -> None:
        """Write the body, but for what it returns."""
        handlers = self.handlers
        for index, node in enumerate(self.graph.nodes):
            results = handlers[node.kind](self, node)
            outputs = [Reference(node.name, number) for number in range(len(node.outputs))]
            # A value that has a name already keeps that name in use.
            named = {r: v for r, v in zip(outputs, results, strict=True) if self.text_of(v).isidentifier()}
            self.values.update(named)
            self.release(node)
            if len(results) > 1 and len({self.text_of(value) for value in results}) == 1:
                self._assign_several(node, outputs, results)
                continue
            for reference, value in zip(outputs, results, strict=True):
                self.values[reference] = (
                    value if self._stays(index, reference, value) else self._assign(node, reference, value)
                )

    def stays_open(self, following: Node, value: V) -> bool:
        """Whether the next node, the only one that needs a value, is written round it."""
        return False

    def _stays(self, index: int, reference: Reference, value: V) -> bool:
        if self.text_of(value).isidentifier() or not self._left[reference]:
            return True
        following = self.graph.nodes[index + 1] if index + 1 < len(self.graph.nodes) else None
        return (
            following is not None
            and following.references == (reference,)
            and self._left[reference] == 1
            and self.stays_open(following, value)
        )

    def _assign(self, node: Node, reference: Reference, value: V) -> V:
        name = self.name(node.name)
        self.line(f"{name} = {self.text_of(value)}")
        return self.renamed(value, name)

    def _assign_several(self, node: Node, outputs: Sequence[Reference], results: Sequence[V]) -> None:
        """One expression that gives several."""
        names = []
        for reference, value in zip(outputs, results, strict=True):
            names.append(self.name(f"{node.name}_{reference.index}") if self._left[reference] else "_")
            self.values[reference] = self.renamed(value, names[-1])
        self.line(f"{', '.join(names)} = {self.text_of(results[0])}")

    def _free_name(self, name: str) -> None:
        # Two references may go by one name, where nothing was computed between them.
        users = [r for r, value in self.values.items() if self.text_of(value) == name and self._left[r]]
        if name in self.taken and not users and name not in self._free:
            self._free.append(name)


def input_names(graph: Graph, reserved: frozenset[str]) -> list[str]:
    """Names of the parameters: `x` for the only input, unless somebody has given it a name."""
    names = [given.name for given in graph.inputs]
    if len(names) == 1 and names[0].startswith(("input", "keras_tensor")):
        names = ["x"]
    return [identifier(name, reserved) for name in names]


def described(spec: Spec) -> str:
    """What is known of an array, for a docstring: `(batch, 28, 28, 1) float32`."""
    lengths = ["any" if length is None else str(length) for length in spec.shape]
    if lengths and spec.shape[0] is None:
        lengths[0] = "batch"
    return f"({', '.join(lengths)}{',' if len(lengths) == 1 else ''}) {spec.dtype}"
