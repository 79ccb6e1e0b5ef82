"""The functions of a family of blocks: `conv_block`, which computes one, `init_conv_block` and `conv_block_state`."""

from __future__ import annotations

from collections.abc import Sequence

from ....graph.blocks import BlockFamily, Blocks
from ....graph.writing.block_calls import block_list
from ....graph.writing.block_text import Parameter
from ....graph.writing.layout import signature, text_lines
from ....graph.writing.tree_blocks import TreeFamily
from .init import random_weights


def block_functions(blocks: BlockFamily, family: TreeFamily) -> list[str]:
    """Return the text of each function of a family."""
    functions = [_apply(blocks, family), _init(blocks, family)]
    if family.first.has_state:
        functions.append(_state(family))
    return ["\n".join(lines) + "\n" for lines in functions]


def init_entry(blocks: Blocks, family: TreeFamily) -> str:
    """Return the untrained parameters of blocks, as an expression."""
    keys = "keys" if random_weights(blocks) else ""
    return _entry(blocks, block_list(blocks, f"init_{family.name}", family.texts[1].parameters, keys))


def state_entry(blocks: Blocks, family: TreeFamily) -> str:
    """Return the first state of blocks as an expression; nothing if they have none."""
    if not family.first.has_state:
        return ""
    return _entry(blocks, block_list(blocks, f"{family.name}_state", family.texts[2].parameters))


def _entry(blocks: Blocks, calls: str) -> str:
    return calls if blocks.count == 1 else f"[{calls}]"


def _apply(blocks: BlockFamily, family: TreeFamily) -> list[str]:
    first, body = family.first, family.texts[0]
    arguments = ["params: Params", *(["state: Params"] if first.has_state else [])]
    arguments += [f"{block_input.name}: Array" for block_input in blocks.blocks[0].inputs]
    arguments += ["training: bool"] if first.uses_training else []
    arguments += ["key: Array"] if first.draw_count else []
    annotation = "tuple[Array, Params]" if first.has_state else "Array"
    return [
        *signature(family.name, [*arguments, *_arguments(body.parameters)], annotation),
        *text_lines(f'"""{blocks.description}"""', 4),
        *(["    state = dict(state)"] if first.has_state else []),
        *text_lines(body.text, 4),
    ]


def _init(blocks: BlockFamily, family: TreeFamily) -> list[str]:
    text = family.texts[1]
    keys = ["keys: Iterator[Array]"] if any(map(random_weights, blocks.blocks[0].layers)) else []
    return [
        *signature(f"init_{family.name}", [*keys, *_arguments(text.parameters)], "Params"),
        f'    """Return untrained parameters of `{family.name}`."""',
        *text_lines(f"return {text.text}", 4),
    ]


def _state(family: TreeFamily) -> list[str]:
    text = family.texts[2]
    return [
        *signature(f"{family.name}_state", _arguments(text.parameters), "Params"),
        f'    """Return the first state of `{family.name}`."""',
        *text_lines(f"return {text.text}", 4),
    ]


def _arguments(parameters: Sequence[Parameter]) -> list[str]:
    return [f"{parameter.name}: {parameter.annotation}" for parameter in parameters]
