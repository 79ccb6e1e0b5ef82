"""A table from which no terminal cuts anything off: what a reader has to type, or to copy, is always whole.

Rich shortens words that are wider than their column. This table does not: where the words do not fit side by side, it
leaves out the columns that may be, and says so; else each row is a block of lines instead, a line for each column.
"""

from __future__ import annotations

from copy import copy
from dataclasses import replace
from itertools import zip_longest
from typing import Any

from rich.console import Console, ConsoleOptions, Group, RenderResult
from rich.table import Table
from rich.text import Text

# Wider than any table.
ENDLESS = 100_000


class WholeTable(Table):
    """Table that becomes blocks of lines where the terminal is too narrow for its words.

    Args:
        optional: headings of columns that a narrow terminal leaves out, the first of them first.
    """

    def __init__(self, *headings: str, optional: tuple[str, ...] = (), **settings: Any):
        super().__init__(*headings, **settings)
        self._optional = optional
        self._left_out: tuple[str, ...] = ()

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        space = options.max_width - self._extra_width
        least, natural = self._widths(console, options)
        if sum(least) > space:
            yield self._without_column() if self._optional else self._blocks(console)
            return
        if sum(natural) > space:
            for column, width in zip(self.columns, _shared_out(space, least, natural), strict=True):
                column.width = width - self._get_padding_width(column._index)
        yield from super().__rich_console__(console, options)
        if self._left_out:
            yield f"A wider terminal also shows: {', '.join(self._left_out)}."

    def _without_column(self) -> WholeTable:
        """Return the table without its first optional column."""
        heading, *others = self._optional
        narrower = copy(self)
        narrower._optional, narrower._left_out = tuple(others), (*self._left_out, heading)
        narrower.columns = [replace(column) for column in self.columns if column.header != heading]
        for place, column in enumerate(narrower.columns):
            column._index = place
        return narrower

    def _widths(self, console: Console, options: ConsoleOptions) -> tuple[list[int], list[int]]:
        """Return the width of each column at which no word is broken, and at which nothing is wrapped."""
        least, natural = [], []
        for column in self.columns:
            column.width = None
            size = self._measure_column(console, options.update(max_width=ENDLESS), column)
            least.append(size.maximum if column.no_wrap else size.minimum)
            natural.append(size.maximum)
        return least, natural

    def _blocks(self, console: Console) -> Group:
        """Return a line for each cell that is not empty, after the heading of its column."""
        lines = [_foldable(console.render_str(str(self.title)))] if self.title else []
        headings = [console.render_str(str(column.header)) for column in self.columns]
        left = max(heading.cell_len for heading in headings) + 2
        for row in zip_longest(*(list(column.cells) for column in self.columns), fillvalue=""):
            for heading, cell in zip(headings, row, strict=True):
                value = console.render_str(str(cell))
                if value.plain:
                    line = heading.copy()
                    line.pad_right(left - heading.cell_len)
                    lines.append(_foldable(line.append_text(value)))
            lines.append(Text())
        return Group(*lines)


def _shared_out(space: int, least: list[int], natural: list[int]) -> list[int]:
    """Return widths that fill the space: the least ones, and the rest by what each column lacks."""
    lacking = [wish - need for wish, need in zip(natural, least, strict=True)]
    rest = space - sum(least)
    return [need + rest * lack // sum(lacking) for need, lack in zip(least, lacking, strict=True)]


def _foldable(line: Text) -> Text:
    """Return a line that goes on in the next one where it is wider than the terminal: no word of it is shortened."""
    line.overflow, line.no_wrap = "fold", False
    return line
