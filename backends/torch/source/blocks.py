"""Blocks that repeat: a class for each family, and attributes that hold blocks one after another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ....graph.blocks import BLOCKS, BlockFamily, Blocks
from ....graph.graph import ArrayReference, Graph, GraphNode
from ....graph.source import class_name, identifier
from ....graph.writing.block_calls import block_list
from ....graph.writing.block_text import BlockText, Parameter, ParameterFinder, pattern_of
from ....graph.writing.layout import signature, text_lines
from .helpers import HELPERS
from .values import Value, graph_order
from .writer import MODULE_NAMES, RESERVED, TorchHandlers, TorchWriter

# What the arguments of PyTorch's layers and of the helpers are called, where they can differ between blocks.
_CONVOLUTION = ("channels", "filters", "size")
ARGUMENTS = {
    **{f"Conv{rank}d": _CONVOLUTION for rank in (1, 2, 3)},
    **{f"ConvTranspose{rank}d": _CONVOLUTION for rank in (1, 2, 3)},
    **dict.fromkeys(("BatchNorm", "LayerNorm", "RMSNorm"), ("channels",)),
    "GroupNorm": ("groups", "channels"),
    "Linear": ("features", "units"),
    "Embedding": ("tokens", "units"),
    **dict.fromkeys(("LSTM", "GRU", "RNN", "SimpleRNN"), ("features", "units")),
    "MultiHeadAttention": ("features", "units"),
    **dict.fromkeys(("Dropout", "AlphaDropout", "SharedDropout"), ("rate",)),
    **{f"Dropout{rank}d": ("rate",) for rank in (1, 2, 3)},
    **{f"{kind}_pool{rank}d": ("", "size") for kind in ("max", "avg") for rank in (1, 2, 3)},
    "pad": ("", "padding"),
    "reshape": ("length",) * 8,
    "zeros": ("shape",),
}


@dataclass(frozen=True, eq=False)
class _BlockWriting:
    """The texts of one block.

    Attributes:
        attributes, forward: the statements of `__init__` and of `forward`.
        order, result_order: the axes of the first input and of the result, as in `Value`.
        weights: by the names within the block.
        helpers: see `GraphWriter`.
    """

    attributes: str
    forward: str
    order: tuple[int, ...]
    result_order: tuple[int, ...]
    weights: dict[str, np.ndarray]
    helpers: set[str]


@dataclass(frozen=True, eq=False)
class _Family:
    """A family whose class is written: its name, its parameters, and its blocks."""

    class_name: str
    parameters: Sequence[Parameter]
    blocks: Sequence[_BlockWriting]


def block_pattern(block: Graph, handlers: TorchHandlers) -> tuple[str, str]:
    """Return the texts of a block without its numbers: see `fold`."""
    writing = _write(block, handlers)
    return pattern_of(writing.attributes), pattern_of(writing.forward)


def blocks_handler(handlers: TorchHandlers) -> TorchHandlers:
    """Return the handler of blocks, whose own nodes are written by these handlers."""
    families: dict[int, _Family] = {}

    def handler(writer: TorchWriter, node: GraphNode) -> Sequence[Value]:
        blocks = node.layer
        assert isinstance(blocks, Blocks)
        family = families.get(id(blocks.family))
        if family is None:
            family = families[id(blocks.family)] = _write_class(writer, blocks.family, handlers)
        return _run(writer, node, blocks, family)

    return {BLOCKS: handler}


def _write(block: Graph, handlers: TorchHandlers) -> _BlockWriting:
    """Write a block so that its result has its axes in the order of its input, if that is possible."""
    order = graph_order(block.inputs[0].spec.rank)
    for _ in range(2):
        writer = TorchWriter(block, handlers, is_block=True)
        for block_input in block.inputs:
            writer.values[ArrayReference(block_input.name)] = Value(
                block_input.name, graph_order(block_input.spec.rank)
            )
        first = block.inputs[0].name
        writer.values[ArrayReference(first)] = Value(first, order)
        writer.taken |= {block_input.name for block_input in block.inputs}
        writer.run()
        result = writer.values[block.outputs[0].reference]
        if len(result.order) != len(order) or result.order == order:
            break
        order = result.order
    if len(result.order) == len(order):
        result = result.permuted(order)
    writer.line(f"return {result.text}")
    return _BlockWriting(writer.attributes_text, writer.text, order, result.order, writer.weights, writer.helpers)


def _write_class(writer: TorchWriter, family: BlockFamily, handlers: TorchHandlers) -> _Family:
    """Add the class of a family to the module."""
    blocks = [_write(block, handlers) for block in family.blocks]
    layers = {layer.name for layer in family.blocks[0].layers}
    reserved = RESERVED | layers | {"self", *(block_input.name for block_input in family.blocks[0].inputs)}
    finder = ParameterFinder(ARGUMENTS, reserved)
    attributes = finder.text([block.attributes for block in blocks])
    forward = finder.text([block.forward for block in blocks], prefix="self.")
    used = {*writer.block_classes, *MODULE_NAMES, *HELPERS, writer.model_class}
    name = identifier((family.class_name or class_name(family.name)).replace("_", ""), used, joint="")
    writer.block_classes[name] = _class_lines(name, family, attributes, forward, finder.parameters)
    writer.helpers |= blocks[0].helpers
    return _Family(name, finder.parameters, blocks)


def _class_lines(
    name: str, family: BlockFamily, attributes: BlockText, forward: BlockText, parameters: Sequence[Parameter]
) -> list[str]:
    arguments = ["self", *(f"{each.name}: {each.annotation}" for each in parameters)]
    inputs = ["self", *(f"{block_input.name}: Tensor" for block_input in family.blocks[0].inputs)]
    return [
        f"class {name}(nn.Module):",
        *text_lines(f'"""{family.description}"""', 4),
        "",
        *signature("__init__", arguments, "None", 4),
        "        super().__init__()",
        *(f"        self.{each.name} = {each.name}" for each in forward.parameters),
        *text_lines(attributes.text, 8),
        "",
        *signature("forward", inputs, "Tensor", 4),
        *text_lines(forward.text, 8),
    ]


def _run(writer: TorchWriter, node: GraphNode, blocks: Blocks, family: _Family) -> Sequence[Value]:
    """Add the attribute of blocks that follow each other, and return their result."""
    block = family.blocks[blocks.start]
    more = [writer.in_graph_order(node, index).text for index in range(1, len(node.inputs))]
    value = writer.input(node, block.order)
    calls = block_list(blocks, family.class_name, family.parameters)
    holder = "nn.ModuleList" if more else "nn.Sequential"
    text = calls if blocks.count == 1 else f"{holder}({_items(calls, bool(more))})"
    name = writer.add_attribute(blocks, text, _weights(blocks, family))
    if not more or blocks.count == 1:
        return [Value(f"{name}({', '.join([value.text, *more])})", block.result_order)]
    writer.release(node)
    result = writer.name_besides(node.name, more)
    if result != value.text:
        writer.line(f"{result} = {value.text}")
    writer.line(f"for block in {name}:")
    writer.line(f"{result} = block({', '.join([result, *more])})", deeper=4)
    return [Value(result, block.result_order)]


def _items(calls: str, is_list: bool) -> str:
    """Return blocks as arguments of `nn.ModuleList`, which takes a list, or of `nn.Sequential`."""
    if " for " in calls:
        return calls if is_list else f"*({calls})"
    return f"[{calls}]" if is_list else calls


def _weights(blocks: Blocks, family: _Family) -> dict[str, np.ndarray]:
    """Return the weights of blocks by their names within the attribute."""
    return {
        f"{place}.{name}" if blocks.count > 1 else name: value
        for place, number in enumerate(blocks.numbers)
        for name, value in family.blocks[number].weights.items()
    }
