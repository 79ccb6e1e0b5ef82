"""A model drawn in text: a stack as a column of boxes, anything with branches as a graph with a lane for each tensor.

It reads the rows of `summary.py`, so it needs no framework.
"""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from .summary import Row

_WIDTH = 100
_WIDEST_CELL = 28
# With more, the lanes say less than the names do.
_MOST_LANES = 16

# By whether a line leads up, down, left, right.
_CORNERS = {
    (True, True, False, True): "├",
    (True, True, True, False): "┤",
    (True, True, True, True): "┼",
    (True, False, True, True): "┴",
    (False, True, True, True): "┬",
    (True, False, False, True): "╰",
    (True, False, True, False): "╯",
    (False, True, False, True): "╭",
    (False, True, True, False): "╮",
}


def draw(rows: Sequence[Row], *, width: int = _WIDTH) -> str:
    """The model with these rows as text of several lines; nested models follow under their names.

    A stack is a column of boxes. Otherwise each layer is a dot: lines lead to it from the layers that feed it, which
    are also named after `←`; `→ output` marks what the model returns. `×` stands between the sizes of one sample.

    Args:
        rows: those of `summary.rows`.
        width: the widest line, in characters.
    """
    if not rows:
        return ""
    lines = _boxes(rows) if _is_stack(rows) else _graph(rows)
    drawn = [line if len(line) <= width else line[: width - 1] + "…" for line in lines]
    for row in rows:
        if row.get("layers"):
            drawn += ["", f"{row['name']}:", textwrap.indent(draw(row["layers"], width=width - 2), "  ")]
    return "\n".join(drawn)


def _is_stack(rows: Sequence[Row]) -> bool:
    """Whether each layer takes what the one before gives, and only the last gives an output."""
    before = [[], *([row["name"]] for row in rows[:-1])]
    return [row["inputs"] for row in rows] == before and not any(row["returned"] for row in rows[:-1])


def _boxes(rows: Sequence[Row]) -> list[str]:
    """One box over the other, the data's way marked between them."""
    cells = _cells(rows)
    if rows[0]["kind"] != "InputLayer":
        cells = _aligned([("input", "", shape_text(rows[0]["input"])), *map(_cell, rows)])
    inner = len(cells[0]) + 2
    way = "▼".center(inner, "─")
    between = [f"├{way}┤"] * (len(cells) - 1)
    boxes = [f"│ {cell} │" for cell in cells]
    middle = [line for pair in zip(boxes, between, strict=False) for line in pair]
    return [f"┌{'─' * inner}┐", *middle, boxes[-1], f"└{'─' * inner}┘"]


def _graph(rows: Sequence[Row]) -> list[str]:
    cells = _cells(rows)
    lanes = _Lanes(rows)
    placed = [lanes.place(row) for row in rows] if _is_ordered(rows) else []
    if not placed or lanes.count > _MOST_LANES:
        return [f"● {cell}{_ends(row)}".rstrip() for cell, row in zip(cells, rows, strict=True)]
    left = 2 * lanes.count
    lines = []
    for (link, dot), cell, row in zip(placed, cells, rows, strict=True):
        lines += [link] if link else []
        lines.append(f"{dot:<{left}}{cell}{_ends(row)}".rstrip())
    return lines


def _is_ordered(rows: Sequence[Row]) -> bool:
    """Whether every layer comes after those that feed it; a shared layer may also take what came of its own output."""
    seen: set[str] = set()
    for row in rows:
        if row["inputs"] is None or not seen.issuperset(row["inputs"]):
            return False
        seen.add(row["name"])
    return True


class _Lanes:
    """The columns of a graph: in each, the layer whose output runs down there to the last layer that takes it.

    Attributes:
        count: how many columns there were at the widest.
    """

    def __init__(self, rows: Sequence[Row]):
        self._waiting = Counter(source for row in rows for source in row["inputs"] or ())
        self._lanes: list[str | None] = []

    @property
    def count(self) -> int:
        return len(self._lanes)

    def place(self, row: Row) -> tuple[str, str]:
        """The line in which the lanes that feed a layer meet, empty where there is nothing to meet; the layer's own."""
        above = list(self._lanes)
        sources = [lane for lane, name in enumerate(above) if name in row["inputs"]]
        self._waiting.subtract(row["inputs"])
        for lane in sources:
            if not self._waiting[str(above[lane])]:
                self._lanes[lane] = None
        here = self._choose(sources)
        self._lanes[here] = row["name"]
        link = "" if sources in ([], [here]) else self._link(above, {here, *sources})
        dot = " ".join("●" if lane == here else "│" if name else " " for lane, name in enumerate(self._lanes))
        if not self._waiting[row["name"]]:
            self._lanes[here] = None
        return link, dot

    def _choose(self, sources: list[int]) -> int:
        """The lane of a layer: that of its first source that ends here, else a free one.

        A layer that nothing feeds takes a new one: under another's end it would look fed by it.
        """
        ended = [lane for lane in sources if self._lanes[lane] is None]
        free = [lane for lane, name in enumerate(self._lanes) if name is None] if sources else []
        if ended or free:
            return (ended or free)[0]
        self._lanes.append(None)
        return len(self._lanes) - 1

    def _link(self, above: list[str | None], met: set[int]) -> str:
        first, last = min(met), max(met)
        line = ""
        for lane, below in enumerate(self._lanes):
            up = lane < len(above) and above[lane] is not None
            if lane in met:
                line += _CORNERS[up, below is not None, lane > first, lane < last]
            else:
                line += "│" if up else "─" if first < lane < last else " "
            line += "─" if first <= lane < last else " "
        return line.rstrip()


def _ends(row: Row) -> str:
    """Where a layer's data come from, and whether they leave the model."""
    came = f"  ← {', '.join(row['inputs'])}" if row["inputs"] else ""
    return came + ("  → output" if row["returned"] else "")


def _cells(rows: Sequence[Row]) -> list[str]:
    return _aligned([_cell(row) for row in rows])


def _cell(row: Row) -> tuple[str, ...]:
    return row["name"], row["kind"], shape_text(row["output"])


def _aligned(cells: Sequence[tuple[str, ...]]) -> list[str]:
    """Each tuple as one line, all of one length: columns side by side, the last one to the right."""
    shown = [[_clipped(part) for part in cell] for cell in cells]
    *widths, last = (max(map(len, column)) for column in zip(*shown, strict=True))
    return [
        "  ".join([*(f"{part:<{width}}" for part, width in zip(cell, widths, strict=False)), f"{cell[-1]:>{last}}"])
        for cell in shown
    ]


def _clipped(text: str) -> str:
    return text if len(text) <= _WIDEST_CELL else text[: _WIDEST_CELL - 1] + "…"


def shape_text(shape: list[Any] | None) -> str:
    """`28×28×1`; `?` for a size that is not fixed or a shape that is unknown; several shapes with commas between."""
    if shape is None:
        return "?"
    return ", ".join(_sizes(each) for each in _shapes(shape))


def _shapes(shape: list[Any]) -> Iterator[list[int | None]]:
    """The shapes in what a row has: one shape, or a list of them."""
    if shape and isinstance(shape[0], list):
        yield from shape
    else:
        yield shape


def _sizes(shape: list[int | None]) -> str:
    return "×".join("?" if size is None else f"{size:,}" for size in shape) or "scalar"
