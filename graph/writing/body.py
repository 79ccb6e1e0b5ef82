"""Writing the body of a function: the walk over a graph, and the names of its local variables.

A backend derives from `GraphWriter`, adds a handler for each kind, and puts the lines into its own form of module. A
value is what the backend must know about an array in the written text; its text is a name or an expression.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Generic, TypeVar

import numpy as np

from ..graph import ArrayReference, Graph, GraphNode, GraphOperand, Spec
from ..source import identifier
from .block_text import OPTION
from .layout import literal, statement

V = TypeVar("V")

_POOL = ("x", "y", "z", "u", "v", "w")


class GraphWriter(ABC, Generic[V]):
    """Writes a graph node by node.

    Args:
        graph: the graph to write.
        names: names that the module already uses.
        indent: the indentation of the function's body, in spaces.
        is_block: whether the graph is a block, whose text becomes that of all blocks of its family.

    Attributes:
        weights: the arrays of `weights.safetensors`, by name.
        statements: the statements of the body, each with its indentation within the body.
        helpers: the names of the helpers that the module must contain.
    """

    def __init__(self, graph: Graph, names: frozenset[str], indent: int, is_block: bool = False):
        self.graph = graph
        self.is_block = is_block
        self.weights: dict[str, np.ndarray] = {}
        self.statements: list[tuple[str, int]] = []
        self.helpers: set[str] = set()
        self.values: dict[ArrayReference, V] = {}
        self.taken: set[str] = set(names)
        self._indent = indent
        self._unwritten_readers = Counter({reference: len(readers) for reference, readers in graph.readers.items()})
        self._free_names: list[str] = []
        self._released: set[str] = set()

    @property
    @abstractmethod
    def handlers(self) -> Mapping[str, Callable[[Any, GraphNode], Sequence[V]]]:
        """Return the handler of each kind. A handler adds lines if needed and returns the node's outputs."""

    @abstractmethod
    def text_of(self, value: V) -> str:
        """Return the text of a value."""

    @abstractmethod
    def with_name(self, value: V, name: str) -> V:
        """Return the same value with a name as its text."""

    # --- for handlers -----------------------------------------------------------------------------------------------

    def operand(self, operand: GraphOperand) -> V | str:
        """Return the value of an array, or a number as text."""
        return self.values[operand] if isinstance(operand, ArrayReference) else literal(operand)

    def spec(self, node: GraphNode, index: int = 0) -> Spec:
        """Return the shape and dtype of one of a node's inputs."""
        operand = node.inputs[index]
        return self.graph.specs[operand] if isinstance(operand, ArrayReference) else Spec((), type(operand).__name__)

    def helper(self, name: str) -> str:
        """Add a helper to the module and return its name."""
        self.helpers.add(name)
        return name

    def assign(self, node: GraphNode, text: str) -> str:
        """Assign an expression to a new variable, so that it can be used several times, and return the name."""
        return self.assign_to(self.name(node.name), text)

    def assign_to(self, name: str, text: str) -> str:
        """Assign an expression to this variable and return the name."""
        self.line(f"{name} = {text}")
        return name

    def line(self, text: str, deeper: int = 0) -> None:
        """Add a statement to the body."""
        self.statements.append((text, deeper))

    def options(self, keywords: Mapping[str, tuple[str, str]]) -> list[str]:
        """Return `key=value` for the options of a call that differ from their default.

        In a block, those that do not differ are written too, and `block_text.py` removes them if none of the blocks
        needs them.

        Args:
            keywords: key → (value, default), as Python text.
        """
        if self.is_block:
            return [f"{key}={OPTION}({value}, {default})" for key, (value, default) in keywords.items()]
        return [f"{key}={value}" for key, (value, default) in keywords.items() if value != default]

    def needed(self, node: GraphNode, index: int) -> bool:
        """Return whether a node that is not written yet reads this output of a node."""
        return self._unwritten_readers[ArrayReference(node.name, index)] > 0

    def uses(self, reference: ArrayReference) -> int:
        """Return how many readers of an array are not written yet."""
        return self._unwritten_readers[reference]

    def name(self, preferred: str) -> str:
        """Return a name for a local variable: a released one, else an unused short one, else the preferred one."""
        if self._free_names:
            return self._free_names.pop()
        new_name = next((name for name in _POOL if name not in self.taken), None) or identifier(preferred, self.taken)
        self.taken.add(new_name)
        return new_name

    def name_besides(self, preferred: str, others: Sequence[str]) -> str:
        """Return a name as `name` does, but none of the others."""
        passed_over = []
        while (name := self.name(preferred)) in others:
            passed_over.append(name)
        self._free_names += passed_over
        return name

    def reuse_name(self, name: str) -> None:
        """Release a name that `assign` or `name` returned."""
        self._free_names.append(name)

    def release(self, node: GraphNode) -> None:
        """Release the names that no later node reads. The text must already contain this node's inputs."""
        if node.name in self._released:
            return
        self._released.add(node.name)
        for reference in node.references:
            self._unwritten_readers[reference] -= 1
            if not self._unwritten_readers[reference]:
                self._release_name(self.text_of(self.values[reference]))

    @property
    def lines(self) -> list[str]:
        """Return the lines of the body."""
        return [line for text, deeper in self.statements for line in statement(text, self._indent + deeper)]

    @property
    def text(self) -> str:
        """Return the statements of the body, each on a line of any length."""
        return "\n".join(" " * deeper + text for text, deeper in self.statements)

    # --- the walk ---------------------------------------------------------------------------------------------------

    def run(self) -> None:
        """Write the body, without the return statement."""
        handlers = self.handlers
        for index, node in enumerate(self.graph.nodes):
            results = handlers[node.kind](self, node)
            outputs = [ArrayReference(node.name, number) for number in range(len(node.outputs))]
            # A value that is a name must keep its name from being released.
            named_values = {r: v for r, v in zip(outputs, results, strict=True) if self.text_of(v).isidentifier()}
            self.values.update(named_values)
            self.release(node)
            if len(results) > 1 and len({self.text_of(value) for value in results}) == 1:
                self._assign_several(node, outputs, results)
                continue
            for reference, value in zip(outputs, results, strict=True):
                self.values[reference] = (
                    value if self._stays_inline(index, reference, value) else self._assign(node, reference, value)
                )

    def can_inline(self, following: GraphNode, value: V) -> bool:
        """Return whether the next node, which is the only reader of a value, may contain its expression."""
        return False

    def _stays_inline(self, index: int, reference: ArrayReference, value: V) -> bool:
        is_name = self.text_of(value).replace(".", "").isidentifier()  # `x`, or `self.scale`
        if is_name or not self._unwritten_readers[reference]:
            return True
        following = self.graph.nodes[index + 1] if index + 1 < len(self.graph.nodes) else None
        return (
            following is not None
            and following.references == (reference,)
            and self._unwritten_readers[reference] == 1
            and self.can_inline(following, value)
        )

    def _assign(self, node: GraphNode, reference: ArrayReference, value: V) -> V:
        name = self.name(node.name)
        self.line(f"{name} = {self.text_of(value)}")
        return self.with_name(value, name)

    def _assign_several(self, node: GraphNode, outputs: Sequence[ArrayReference], results: Sequence[V]) -> None:
        """Assign an expression with several results to several variables."""
        names = []
        for reference, value in zip(outputs, results, strict=True):
            names.append(self.name(f"{node.name}_{reference.index}") if self._unwritten_readers[reference] else "_")
            self.values[reference] = self.with_name(value, names[-1])
        self.line(f"{', '.join(names)} = {self.text_of(results[0])}")

    def _release_name(self, name: str) -> None:
        """Release a name, unless it tells what it stands for: what is computed of `pictures` is not called so."""
        if len(name) > 1:
            return
        # Two references may share a name if nothing was computed between them.
        users = [r for r, value in self.values.items() if self.text_of(value) == name and self._unwritten_readers[r]]
        if name in self.taken and not users and name not in self._free_names:
            self._free_names.append(name)


def input_names(graph: Graph, reserved: frozenset[str]) -> list[str]:
    """Return the names of the parameters: `x` for a single input that has only Keras' automatic name."""
    names = [graph_input.name for graph_input in graph.inputs]
    if len(names) == 1 and names[0].startswith(("input", "keras_tensor")):
        names = ["x"]
    parameters: list[str] = []
    for name in names:
        parameters.append(identifier(name, {*reserved, *parameters}))
    return parameters


def describe(spec: Spec) -> str:
    """Return shape and dtype for a docstring: `(batch, 28, 28, 1) float32`."""
    lengths = ["any" if length is None else str(length) for length in spec.shape]
    if lengths and spec.shape[0] is None:
        lengths[0] = "batch"
    return f"({', '.join(lengths)}{',' if len(lengths) == 1 else ''}) {spec.dtype}"
