"""Draw a model as text: a stack as a column of boxes, a branched model as a graph with one lane per tensor.

It reads the rows of `summary.py`, so it needs no framework.
"""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from .layer_settings import settings_text
from .summary import Row

_WIDTH = 100
_WIDEST_CELL = 28
# Of a stack, which has room for the settings of its layers.
_WIDEST_IN_BOX = 46
# With more lanes, the names of the inputs are easier to read than the lanes.
_MOST_LANES = 16

# Keys: whether a line leads up, down, left, right.
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
    """Draw a model as text of several lines. Nested models follow under their names.

    A stack is a column of boxes. In any other model, each layer is a dot, with lines from the layers that feed it;
    their names follow after `←`. `→ output` marks outputs of the model. `×` separates the sizes of one sample.

    Args:
        rows: from `summary.rows`.
        width: the maximum length of a line, in characters.
    """
    if not rows:
        return ""
    lines = _draw_boxes(rows) if _is_stack(rows) else _draw_graph(rows)
    clipped = [line if len(line) <= width else line[: width - 1] + "…" for line in lines]
    for row in rows:
        if row.get("layers"):
            clipped += ["", f"{row['name']}:", textwrap.indent(draw(row["layers"], width=width - 2), "  ")]
    return "\n".join(clipped)


def _is_stack(rows: Sequence[Row]) -> bool:
    """Return whether each layer is fed by the one before it alone, and only the last one is an output."""
    before = [[], *([row["name"]] for row in rows[:-1])]
    return [row["inputs"] for row in rows] == before and not any(row["returned"] for row in rows[:-1])


def _draw_boxes(rows: Sequence[Row]) -> list[str]:
    """Draw one box above the other, with arrows between them."""
    is_open = rows[0]["kind"] != "InputLayer"
    first = [("input", "", "", shape_text(rows[0]["input"]))] if is_open else []
    cells = _align([*first, *map(_cell, rows)], _WIDEST_IN_BOX)
    inner = len(cells[0]) + 2
    way = "▼".center(inner, "─")
    between = [f"├{way}┤"] * (len(cells) - 1)
    boxes = [f"│ {cell} │" for cell in cells]
    middle = [line for pair in zip(boxes, between, strict=False) for line in pair]
    return [f"┌{'─' * inner}┐", *middle, boxes[-1], f"└{'─' * inner}┘"]


def _draw_graph(rows: Sequence[Row]) -> list[str]:
    cells = _cells(rows)
    lanes = _Lanes(rows)
    placements = [lanes.place(row) for row in rows] if _is_ordered(rows) else []
    if not placements or lanes.count > _MOST_LANES:
        return [f"● {cell}{_format_connections(row)}".rstrip() for cell, row in zip(cells, rows, strict=True)]
    lane_width = 2 * lanes.count
    lines = []
    for (link, dot), cell, row in zip(placements, cells, rows, strict=True):
        lines += [link] if link else []
        lines.append(f"{dot:<{lane_width}}{cell}{_format_connections(row)}".rstrip())
    return lines


def _is_ordered(rows: Sequence[Row]) -> bool:
    """Return whether every layer comes after those that feed it. A shared layer may be fed by its own output."""
    names: set[str] = set()
    for row in rows:
        if row["inputs"] is None or not names.issuperset(row["inputs"]):
            return False
        names.add(row["name"])
    return True


class _Lanes:
    """The lanes of a graph: each carries a layer's output down to the last layer that takes it.

    Attributes:
        count: the number of lanes at the widest place so far.
    """

    def __init__(self, rows: Sequence[Row]):
        self._waiting = Counter(source for row in rows for source in row["inputs"] or ())
        self._lanes: list[str | None] = []

    @property
    def count(self) -> int:
        return len(self._lanes)

    def place(self, row: Row) -> tuple[str, str]:
        """Place a layer. Return the line that joins the lanes of its inputs, or "", and the layer's own line."""
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
        """Return the lane of a layer: that of its first source that ends here, or else a free one.

        A layer without inputs gets a new lane: in the lane of another one, it would seem to be fed by it.
        """
        ending = [lane for lane in sources if self._lanes[lane] is None]
        free = [lane for lane, name in enumerate(self._lanes) if name is None] if sources else []
        if ending or free:
            return (ending or free)[0]
        self._lanes.append(None)
        return len(self._lanes) - 1

    def _link(self, above: list[str | None], joined: set[int]) -> str:
        first, last = min(joined), max(joined)
        line = ""
        for lane, below in enumerate(self._lanes):
            up = lane < len(above) and above[lane] is not None
            if lane in joined:
                line += _CORNERS[up, below is not None, lane > first, lane < last]
            else:
                line += "│" if up else "─" if first < lane < last else " "
            line += "─" if first <= lane < last else " "
        return line.rstrip()


def _format_connections(row: Row) -> str:
    """Return the names of the layers that feed a layer, and a mark if it is an output of the model."""
    sources = f"  ← {', '.join(row['inputs'])}" if row["inputs"] else ""
    return sources + ("  → output" if row["returned"] else "")


def _cells(rows: Sequence[Row]) -> list[str]:
    return _align([_cell(row) for row in rows])


def _cell(row: Row) -> tuple[str, ...]:
    return row["name"], row["kind"], settings_text(row["settings"]), shape_text(row["output"])


def _align(cells: Sequence[tuple[str, ...]], widest: int = _WIDEST_CELL) -> list[str]:
    """Return each tuple as one line in aligned columns without the empty ones; the last column is right-aligned."""
    clipped = [[_clip(name, _WIDEST_CELL), *(_clip(part, widest) for part in others)] for name, *others in cells]
    columns = [column for column in zip(*clipped, strict=True) if any(column)]
    *widths, last = (max(map(len, column)) for column in columns)
    return [
        "  ".join([*(f"{part:<{width}}" for part, width in zip(cell, widths, strict=False)), f"{cell[-1]:>{last}}"])
        for cell in zip(*columns, strict=True)
    ]


def _clip(text: str, widest: int) -> str:
    return text if len(text) <= widest else text[: widest - 1] + "…"


def shape_text(shape: list[Any] | None) -> str:
    """Return a shape as text, such as `28×28×1`; `?` if unknown. Several shapes are separated by commas."""
    if shape is None:
        return "?"
    return ", ".join(_sizes(one_shape) for one_shape in _shapes(shape))


def _shapes(shape: list[Any]) -> Iterator[list[int | None]]:
    """Yield the shapes of a row, which holds one shape or a list of shapes."""
    if shape and isinstance(shape[0], list):
        yield from shape
    else:
        yield shape


def _sizes(shape: list[int | None]) -> str:
    return "×".join("?" if size is None else f"{size:,}" for size in shape) or "scalar"
