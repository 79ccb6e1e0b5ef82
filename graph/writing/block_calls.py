"""The calls that make or run the blocks of one run, each with its own numbers."""

from __future__ import annotations

from collections.abc import Sequence

from ..blocks import Blocks
from .block_text import Parameter
from .layout import literal

_MOST_LISTED = 4  # calls that are written one after another


def block_list(blocks: Blocks, function: str, parameters: Sequence[Parameter], first: str = "") -> str:
    """Return calls for a list of blocks: `Block(8), Block(16)`, or `Block(n) for n in range(8, 64, 8)`.

    Args:
        blocks: the run.
        function: what is called.
        parameters: its parameters.
        first: an argument before them.
    """
    rows = rows_of(blocks, parameters)

    def call(values: Sequence[str]) -> str:
        arguments = [each.passed(value) for each, value in zip(parameters, values, strict=True)]
        return f"{function}({', '.join([*([first] if first else []), *arguments])})"

    if len(rows) > 1 and len(set(rows)) == 1:
        return f"{call([literal(value) for value in rows[0]])} for _ in range({len(rows)})"
    varying = [index for index in range(len(parameters)) if len({row[index] for row in rows}) > 1]
    progression = len(varying) == 1 and arithmetic(tuple(row[varying[0]] for row in rows))
    if len(rows) <= _MOST_LISTED and not (progression and len(rows) > 2):
        return ", ".join(call([literal(value) for value in row]) for row in rows)
    arguments = [
        parameters[index].name if index in varying else literal(rows[0][index]) for index in range(len(parameters))
    ]
    names = ", ".join(parameters[index].name for index in varying)
    return f"{call(arguments)} for {names} in {loop_values(rows, varying)}"


def rows_of(blocks: Blocks, parameters: Sequence[Parameter]) -> list[tuple[int | float, ...]]:
    """Return the arguments of each block of a run."""
    return [tuple(parameter.values[number] for parameter in parameters) for number in blocks.numbers]


def loop_values(rows: Sequence[tuple[int | float, ...]], varying: Sequence[int]) -> str:
    """Return what a loop over the varying arguments goes through: a range, or a tuple."""
    if len(varying) > 1:
        return literal([tuple(row[index] for index in varying) for row in rows])
    column = tuple(row[varying[0]] for row in rows)
    return arithmetic(column) or literal(column)


def arithmetic(values: Sequence[int | float]) -> str:
    """Return a range with these values as text; nothing if their steps differ."""
    first, step = values[0], values[-1] - values[-2] if len(values) > 1 else 0
    if not isinstance(first, int) or not isinstance(step, int) or step < 1:
        return ""
    if list(values) != list(range(first, first + step * len(values), step)):
        return ""
    return f"range({first}, {first + step * len(values)}{f', {step}' if step > 1 else ''})"
