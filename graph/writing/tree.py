"""A writer of functions over a tree of parameters. Arrays keep Keras' axes, and weights keep Keras' layout.

JAX and TensorFlow use it. Each has its dialect and its helpers, which have the same names in both: `dense(p, x)`, ….
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from ..graph import Graph, GraphLayer, GraphNode
from ..layer_kinds import MOVING_STATISTICS
from ..source import Source
from .body import GraphWriter, describe
from .expressions import Dialect


class TreeWriter(GraphWriter[str]):
    """Writes functions over a tree of parameters; a value is its text.

    Attributes:
        dialect: the framework's expressions.
        handlers: the handler of each kind, from `tree_handlers.tree_handlers`.
        folds_padding: whether the framework's convolutions pad by any number of zeros.
    """

    dialect: Dialect
    handlers: Mapping[str, Callable[[Any, GraphNode], Sequence[str]]]
    folds_padding = False

    def __init__(self, graph: Graph, names: frozenset[str], indent: int, is_block: bool = False):
        super().__init__(graph, names, indent, is_block)
        self.uses_training = False
        self.draw_count = 0

    def text_of(self, value: str) -> str:
        return value

    def with_name(self, value: str, name: str) -> str:
        return name

    @property
    def has_state(self) -> bool:
        """Return whether the function takes and returns what training updates without a gradient."""
        return False

    # --- for handlers -----------------------------------------------------------------------------------------------

    def inputs(self, node: GraphNode) -> list[str]:
        """Return a node's operands as text."""
        return [self.operand(operand) for operand in node.inputs]

    @abstractmethod
    def parameters_entry(self, layer: GraphLayer) -> str:
        """Return the text that selects a layer's parameters from the tree."""

    def layer_parameters(self, layer: GraphLayer, frozen: bool = False) -> str:
        """Return the text of a layer's parameters, with the gradient stopped where they are frozen."""
        own = {name: value for name, value in layer.weights.items() if name not in MOVING_STATISTICS}
        self.weights |= {f"{layer.name}.{name}": np.ascontiguousarray(value) for name, value in own.items()}
        if not own:
            return "{}"
        return self.parameters_entry(layer) if layer.trainable and not frozen else self.frozen_parameters(layer)

    def constant(self, layer: GraphLayer) -> str:
        """Return the text of the array of a layer that holds nothing else."""
        return f'{self.layer_parameters(layer, frozen=True)}["value"]'

    def frozen_parameters(self, layer: GraphLayer) -> str:
        """Return the text of a layer's parameters with the gradient stopped."""
        return f"{self.helper('frozen')}({self.parameters_entry(layer)})"

    def training(self) -> str:
        """Return the name of the flag that is true in training."""
        self.uses_training = True
        return "training"

    @abstractmethod
    def rng_key(self) -> str | None:
        """Return the random key for the next helper that draws, or None where the framework needs no key."""

    def with_rng_key(self, *arguments: str) -> str:
        """Return the arguments of a helper that draws, with a random key where the framework needs one."""
        key = self.rng_key()
        return ", ".join([*arguments, *([key] if key else [])])

    @abstractmethod
    def write_batch_norm(self, node: GraphNode, x: str, training: str, settings: str) -> Sequence[str]:
        """Write a batch normalisation, which updates its statistics in training."""

    @abstractmethod
    def write_blocks(self, node: GraphNode) -> Sequence[str]:
        """Write the call of a block, or a loop over several, and the function that it calls if that is new."""

    @abstractmethod
    def block_texts(self) -> Sequence[str]:
        """Return the texts of a block whose body is written; the first is the body, with its return statement."""

    def helper_texts(self, texts: Mapping[str, str], needs: Mapping[str, Sequence[str]]) -> list[str]:
        """Return the helpers that are used, and those that they call, in the order of `texts`."""
        needed = self.helpers | {need for name in self.helpers for need in needs.get(name, ())}
        return [text.strip("\n") + "\n" for name, text in texts.items() if name in needed]

    @abstractmethod
    def source(self) -> Source:
        """Return the whole module."""

    def docstring(self, names: Sequence[str], more_results: Sequence[str] = (), indent: int = 4) -> list[str]:
        """Return the lines of a docstring with the shapes of inputs and outputs."""
        inputs = zip(names, self.graph.inputs, strict=True)
        arguments = [f"{name}: {describe(value.spec)}" for name, value in inputs]
        results = [
            *(f"{value.name}: {describe(self.graph.specs[value.reference])}" for value in self.graph.outputs),
            *more_results,
        ]
        lines = [f'"""{self.graph.name}, as it was trained in Keras.', "", "Args:", *("    " + a for a in arguments)]
        lines += ["", "Returns:", *("    " + r for r in results), '"""']
        return [" " * indent + line if line else "" for line in lines]


TreeHandler = Callable[[TreeWriter, GraphNode], Sequence[str]]
