"""Repeated structure as data: a kind of block, and the calls of several blocks one after another.

`folding.py` replaces the nodes of repeated blocks in a graph by nodes of kind `BLOCKS`, which only a writer sees: a
reader of a Keras model never makes one, and `layer_kinds.py` does not list it.
"""

from __future__ import annotations

from dataclasses import dataclass

from .graph import Graph, GraphLayer

BLOCKS = "blocks"


@dataclass(frozen=True, eq=False)
class BlockFamily:
    """A kind of block: graphs that differ in numbers and weights only.

    Attributes:
        name: in lower case, such as "conv_block".
        blocks: the blocks, in the order of the model. Their inputs, layers, nodes and outputs have the same names. The
            first input is the array that goes from block to block.
        labels: what each block is called in Keras, such as "conv2_block1"; empty where its layers have no name in
            common.
        class_name: of the own layer that each block is; empty for blocks that only repeat.
    """

    name: str
    blocks: tuple[Graph, ...]
    labels: tuple[str, ...]
    class_name: str = ""

    @property
    def description(self) -> str:
        """Return a line that says which blocks of the Keras model they are."""
        count = len(self.blocks)
        if self.class_name:
            more = f", and {count - 1} more" if count > 1 else ""
            return f"The layer {self.labels[0]} of the Keras model, of its class {self.class_name}{more}."
        if not self.labels[0]:
            return f"A block of the model, which has {count} of them."
        return f"{self.labels[0]} of the Keras model, and {count - 1} more blocks like it."


@dataclass(frozen=True, eq=False, kw_only=True)
class Blocks(GraphLayer):
    """Blocks of one family, of which each reads the result of the one before it.

    Attributes:
        family: the kind of the blocks.
        start, stop: which of the family's blocks they are.
    """

    family: BlockFamily
    start: int
    stop: int

    @property
    def count(self) -> int:
        return self.stop - self.start

    @property
    def numbers(self) -> range:
        """Return the places of the blocks among those of the family."""
        return range(self.start, self.stop)

    @property
    def prefixes(self) -> list[str]:
        """Return what the names of each block's weights begin with."""
        return [self.name] if self.count == 1 else [f"{self.name}.{place}" for place in range(self.count)]
