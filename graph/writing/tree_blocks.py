"""Blocks that repeat, as functions over a part of the tree of parameters, and loops that call them."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ..blocks import BlockFamily, Blocks
from ..graph import ArrayReference, Graph, GraphNode
from ..source import identifier
from .block_calls import loop_values, rows_of
from .block_text import BlockText, Parameter, ParameterFinder, pattern_of
from .layout import literal
from .tree import TreeWriter

# What the arguments of the helpers are called, where they can differ between blocks.
_ARGUMENTS: Mapping[str, Sequence[str]] = {
    **dict.fromkeys(("zeros", "ones"), ("shape",)),
    **dict.fromkeys(("glorot_uniform", "orthogonal", "uniform"), ("", "shape")),
    **dict.fromkeys(("dropout", "gaussian_dropout", "alpha_dropout"), ("", "rate")),
    **dict.fromkeys(("max_pool", "average_pool"), ("", "size", "stride")),
    "reshape": ("length",) * 8,
    "pad": ("", "padding"),
}


@dataclass(frozen=True, eq=False)
class TreeFamily:
    """A family of blocks whose functions are written.

    Attributes:
        name: of the function that computes a block.
        texts: the sections of `TreeWriter.block_texts`.
        writers: the writer of each block, which has its weights.
    """

    name: str
    texts: Sequence[BlockText]
    writers: Sequence[TreeWriter]

    @property
    def first(self) -> TreeWriter:
        return self.writers[0]

    def weights(self, blocks: Blocks) -> dict[str, np.ndarray]:
        """Return the weights of blocks by their names in the module."""
        return {
            f"{prefix}.{name}": value
            for prefix, number in zip(blocks.prefixes, blocks.numbers, strict=True)
            for name, value in self.writers[number].weights.items()
        }


@dataclass(frozen=True)
class Loop:
    """What a loop over blocks goes through besides their weights.

    Attributes:
        weights: the name and the text of the weights of a block and of all.
        state: the text of a block's state, which the call replaces; empty without one.
        key: the text of a block's random key; empty without one.
        counts: whether `state` or `key` needs the number `i` of the block.
    """

    weights: tuple[str, str]
    state: str = ""
    key: str = ""
    counts: bool = False


def block_pattern(new_writer: Callable[[Graph], TreeWriter], block: Graph) -> Hashable:
    """Return the texts of a block without its numbers: see `fold`."""
    return tuple(map(pattern_of, _write(new_writer, block).block_texts()))


def _write(new_writer: Callable[[Graph], TreeWriter], block: Graph) -> TreeWriter:
    writer = new_writer(block)
    for block_input in block.inputs:
        writer.values[ArrayReference(block_input.name)] = block_input.name
        writer.taken.add(block_input.name)
    writer.run()
    return writer


class BlockTreeWriter(TreeWriter):
    """A writer of functions over a tree of parameters, which writes a family of blocks once.

    Attributes:
        families: those that are written, by the id of the family.
        functions: the texts of their functions.
    """

    def __init__(self, graph: Graph, names: frozenset[str], indent: int, is_block: bool = False):
        super().__init__(graph, names, indent, is_block)
        self.families: dict[int, TreeFamily] = {}
        self.functions: list[str] = []

    def family_of(self, blocks: Blocks, new_writer: Callable[[Graph], TreeWriter]) -> TreeFamily:
        """Return the family of blocks, which is written if it is new, and add their weights to the module.

        Args:
            blocks: the blocks.
            new_writer: returns the writer of a single block.
        """
        family = self.families.get(id(blocks.family))
        if family is None:
            family = self.families[id(blocks.family)] = self._write_family(blocks.family, new_writer)
            self.helpers |= family.first.helpers
            self.functions += self.family_functions(blocks.family, family)
        self.weights |= family.weights(blocks)
        return family

    @abstractmethod
    def family_functions(self, blocks: BlockFamily, family: TreeFamily) -> list[str]:
        """Return the text of each function of a family."""

    def _write_family(self, blocks: BlockFamily, new_writer: Callable[[Graph], TreeWriter]) -> TreeFamily:
        name = identifier(blocks.name, self.taken)
        self.taken.add(name)
        writers = [_write(new_writer, block) for block in blocks.blocks]
        finder = ParameterFinder(_ARGUMENTS, writers[0].taken)
        sections = zip(*(writer.block_texts() for writer in writers), strict=True)
        return TreeFamily(name, [finder.text(texts) for texts in sections], writers)


def call_blocks(writer: TreeWriter, node: GraphNode, family: TreeFamily, one: Loop, many: Loop) -> Sequence[str]:
    """Write the call of a block, or the loop over several, and return the name of the result.

    Args:
        writer: the writer of the model.
        node: the blocks.
        family: their family.
        one, many: the arguments of a single block, and those in a loop.
    """
    blocks = node.layer
    assert isinstance(blocks, Blocks)
    x, *more = writer.inputs(node)
    writer.release(node)
    result = writer.name_besides(node.name, more)
    parameters = family.texts[0].parameters
    rows = rows_of(blocks, parameters)

    def call(loop: Loop, weights: str, x: str, values: Sequence[str]) -> str:
        switches = [writer.training()] if family.first.uses_training else []
        arguments = [weights, loop.state, x, *more, *switches, loop.key]
        arguments += [each.passed(value) for each, value in zip(parameters, values, strict=True)]
        targets = f"{result}, {loop.state}" if loop.state else result
        return f"{targets} = {family.name}({', '.join(filter(None, arguments))})"

    if blocks.count == 1:
        writer.line(call(one, one.weights[1], x, [literal(value) for value in rows[0]]))
        return [result]
    if result != x:
        writer.line(f"{result} = {x}")
    varying = [index for index in range(len(parameters)) if len({row[index] for row in rows}) > 1]
    values = [each.name if i in varying else literal(rows[0][i]) for i, each in enumerate(parameters)]
    writer.line(_loop_head(many, rows, parameters, varying))
    writer.line(call(many, many.weights[0], result, values), deeper=4)
    return [result]


def _loop_head(
    loop: Loop, rows: Sequence[tuple[int | float, ...]], parameters: Sequence[Parameter], varying: Sequence[int]
) -> str:
    name, text = loop.weights
    columns = [loop_values([(row[index],) for row in rows], [0]) for index in varying]
    if varying:
        name = ", ".join([name, *(parameters[index].name for index in varying)])
        text = f"zip({', '.join([text, *columns])}, strict=True)"
    if loop.counts:
        name, text = f"i, {f'({name})' if varying else name}", f"enumerate({text})"
    return f"for {name} in {text}:"
