"""A writer of functions over a tree of parameters: arrays keep Keras' axes, and weights Keras' layout.

Two rooms write so. Each brings its words, and helpers of the same names that go into the module: `dense(p, x)`, …
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from ..graph import Graph, Layer, Node
from ..source import Source
from .body import Writer, described
from .expressions import Words

# What training moves without a gradient.
MOVED = ("moving_mean", "moving_variance")
# What was measured before training, or written into the model.
MEASURED = ("mean", "variance", "value")


class TreeWriter(Writer[str]):
    """The functions in the making; a value is its text.

    Attributes:
        words: the room's vocabulary.
        handlers: what writes each kind: `tree_handlers.tree_handlers` of the room.
    """

    words: Words
    handlers: Mapping[str, Callable[[Any, Node], Sequence[str]]]

    def __init__(self, graph: Graph, names: frozenset[str], indent: int):
        super().__init__(graph, names, indent)
        self.trains = False
        self.draws = 0

    def text_of(self, value: str) -> str:
        return value

    def renamed(self, value: str, name: str) -> str:
        return name

    # --- what handlers build with -----------------------------------------------------------------------------------

    def inputs(self, node: Node) -> list[str]:
        """A node's operands as text."""
        return [self.operand(operand) for operand in node.inputs]

    @abstractmethod
    def part(self, layer: Layer) -> str:
        """A layer's part of the tree, as text."""

    def weighed(self, layer: Layer, frozen: bool = False) -> str:
        """A layer's part of the tree, kept from being trained where it is frozen."""
        own = {name: value for name, value in layer.weights.items() if name not in MOVED}
        self.weights |= {f"{layer.name}.{name}": np.ascontiguousarray(value) for name, value in own.items()}
        if not own:
            return "{}"
        return self.part(layer) if layer.trainable and not frozen else self.frozen(layer)

    def frozen(self, layer: Layer) -> str:
        """A layer's part of the tree that training leaves as it is, as text."""
        return f"{self.helper('frozen')}({self.part(layer)})"

    def training(self) -> str:
        """The name of what tells training from inference."""
        self.trains = True
        return "training"

    @abstractmethod
    def key(self) -> str | None:
        """What a helper that draws is given to draw from, where it must be given something."""

    def drawn(self, *arguments: str) -> str:
        """Arguments of something that draws."""
        key = self.key()
        return ", ".join([*arguments, *([key] if key else [])])

    @abstractmethod
    def batch_norm(self, node: Node, x: str, training: str, settings: str) -> Sequence[str]:
        """Write a batch normalisation, which moves its statistics in training."""

    @abstractmethod
    def source(self) -> Source:
        """All of the module."""

    def docstring(self, names: Sequence[str], gives: Sequence[str] = (), indent: int = 4) -> list[str]:
        """What the function takes and gives, as lines."""
        given = zip(names, self.graph.inputs, strict=True)
        takes = [f"{name}: {described(each.spec)}" for name, each in given]
        gives = [
            *(f"{each.name}: {described(self.graph.specs[each.reference])}" for each in self.graph.outputs),
            *gives,
        ]
        lines = [f'"""{self.graph.name}, as it was trained in Keras.', "", "Takes:", *("    " + t for t in takes)]
        lines += ["", "Gives:", *("    " + g for g in gives), '"""']
        return [" " * indent + line if line else "" for line in lines]
