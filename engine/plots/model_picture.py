"""Draw a model as a picture: a box for each layer with its settings and shapes, and arrows for its connections.

It reads the rows of `summary.py`, so it needs no framework. A deep model continues in a further column, and nested
models stand beside it under their names.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch
from matplotlib.path import Path as Outline
from matplotlib.textpath import TextPath

from ..keras_model.diagram import shape_text
from ..keras_model.layer_settings import settings_text
from ..keras_model.summary import Row
from .graph_layout import GraphLayout, Node, layout, without_cycles
from .style import DATA, save, style

# Inches.
_BOX_HEIGHT, _GAP, _MARGIN = 0.62, 0.3, 0.3
_BEND = 0.35  # of an arrow back to a shared layer
_PADDING = 0.25
_LINE = 0.17
_TITLE, _TITLE_LETTER = 0.45, 0.11
_FONT = 8.0  # points
_LONGEST = 46  # letters in a line of a box
_FEWEST_RANKS = 14  # in a column, before a further one is begun
_SHAPE = 1.4  # the width of a picture of several columns over its height

# Fills by the kind of layer: light tints of the colours of all plots.
_FILLS = (
    (r"InputLayer|^$", "#ececec"),
    (r"Conv", "#cfe4f2"),
    (r"Pool|UpSampling|Resizing|Cropping|Padding", "#fbe3d0"),
    (r"Dense", "#cdeee2"),
    (r"LSTM|GRU|RNN|Bidirectional|TimeDistributed|Attention", "#f3dcea"),
    (r"Dropout|Noise|Normalization|Regularization", "#fbeecb"),
    (r"Sequential|Functional|Model", "#d9d9f3"),
)
_OTHER_FILL = "#ffffff"
_ARROW: dict[str, Any] = {"color": "#555555", "linewidth": 1.1, "mutation_scale": 9}


@dataclass(frozen=True)
class _Graph:
    """A model or a nested model, laid out; drawn in columns of `height` ranks."""

    title: str
    rows: dict[str, Row]
    layout: GraphLayout
    backward: list[tuple[str, str]]


def model_picture(rows: Sequence[Row], path: Path, *, title: str = "") -> None:
    """Draw a model from the rows of `summary.rows`.

    Raises:
        OutputError: the file cannot be written.
    """
    graphs = list(_graphs("", _with_input(rows)))
    width = _box_width(graphs)
    height = _column_height(graphs, width)
    columns = [(graph, first) for graph in graphs for first in range(0, len(graph.layout.ranks), height)]
    ends = [graph.layout.ends(first, first + height) for graph, first in columns]
    widths = [(right - left) * width + 2 * _MARGIN for left, right in ends]
    tallest = max(min(height, len(graph.layout.ranks) - first) for graph, first in columns)
    size = (
        max(sum(widths), len(title) * _TITLE_LETTER + 2 * _MARGIN),
        tallest * (_BOX_HEIGHT + _GAP) + _GAP + 2 * _MARGIN + _TITLE,
    )
    with style(grid=False):
        fig = Figure(figsize=size)
        axes = fig.add_axes((0, 0, 1, 1))
        axes.set(xlim=(0, size[0]), ylim=(size[1], 0))
        axes.axis("off")
        axes.text(_MARGIN, _MARGIN, title, fontsize=11, va="center", weight="bold")
        for (graph, first), left, (start, _) in zip(columns, np.cumsum([0, *widths[:-1]]), ends, strict=True):
            _Column(axes, graph, first, height, float(left) + _MARGIN, start, width).draw()
        save(fig, path)


def _with_input(rows: Sequence[Row]) -> list[Row]:
    """Return the rows of a model that begins without an input layer with one."""
    if not rows or rows[0]["kind"] == "InputLayer" or rows[0]["inputs"] != []:
        return list(rows)
    first = {"name": "input", "kind": "", "input": None, "output": rows[0]["input"], "settings": {}, "parameters": 0}
    names = {row["name"] for row in rows}
    first["name"] = next(name for name in ("input", "(input)") if name not in names)
    return [{**first, "inputs": [], "returned": False}, {**rows[0], "inputs": [first["name"]]}, *rows[1:]]


def _graphs(title: str, rows: Sequence[Row]) -> Iterator[_Graph]:
    """Yield a model and its nested models."""
    names = {row["name"] for row in rows}
    known = all(row["inputs"] is not None for row in rows)
    forward, backward = without_cycles({row["name"]: [n for n in row["inputs"] or () if n in names] for row in rows})
    # The connections of a subclassed model are unknown: its layers stand below each other.
    placed = layout(forward) if known else GraphLayout([[name] for name in forward], dict.fromkeys(forward, 0.0), [])
    yield _Graph(title, {row["name"]: row for row in rows}, placed, backward)
    for row in rows:
        if row.get("layers"):
            yield from _graphs(row["name"], _with_input(row["layers"]))


def _lines(row: Row) -> list[str]:
    """Return the lines of a box: name and kind, settings, shapes."""
    name = f"{row['name']}  {row['kind']}" if row["kind"] not in ("", "InputLayer") else row["name"]
    shapes = shape_text(row["output"])
    if row["input"] is not None and row["kind"] != "InputLayer":
        shapes = f"{shape_text(row['input'])} → {shapes}"
    lines = [name, settings_text(row["settings"]), shapes + ("   output" if row["returned"] else "")]
    return [line if len(line) <= _LONGEST else line[: _LONGEST - 1] + "…" for line in lines if line]


def _box_width(graphs: Sequence[_Graph]) -> float:
    lines = [_lines(row) for graph in graphs for row in graph.rows.values()]
    texts = {(line, "bold" if number == 0 else "normal") for each in lines for number, line in enumerate(each)}
    return max(1.4, max(_text_width(*text) for text in texts) + _PADDING)


def _text_width(text: str, weight: str) -> float:
    outline = TextPath((0, 0), text, size=_FONT, prop=FontProperties(weight=weight))
    return float(outline.get_extents().width) / 72


def _width(placed: GraphLayout) -> float:
    left, right = placed.ends(0, len(placed.ranks))
    return right - left


def _column_height(graphs: Sequence[_Graph], width: float) -> int:
    """Return how many ranks a column has, so that the picture gets the shape of a screen."""
    ranks = max(len(graph.layout.ranks) for graph in graphs)
    area = sum(len(graph.layout.ranks) * _width(graph.layout) * width for graph in graphs) * (_BOX_HEIGHT + _GAP)
    wanted = math.sqrt(area / _SHAPE) / (_BOX_HEIGHT + _GAP)
    return min(ranks, max(_FEWEST_RANKS, math.ceil(wanted)))


@dataclass(frozen=True)
class _Column:
    """The ranks of a graph from `first` on, at most `height`; their place `start` is drawn at `left` on the axes."""

    axes: Axes
    graph: _Graph
    first: int
    height: int
    left: float
    start: float
    width: float

    def draw(self) -> None:
        placed = self.graph.layout
        ranks = {node: number for number, rank in enumerate(placed.ranks) for node in rank}
        title = self.graph.title + (" (continued)" if self.first and self.graph.title else "")
        self.axes.text(self.left, _MARGIN + _TITLE * 0.75, title, fontsize=9, va="center", style="italic")
        for chain in placed.chains:
            self._draw_edge(chain, ranks)
        for source, target in self.graph.backward:
            if self._has(ranks[source]) and self._has(ranks[target]):
                self._draw_backward(source, target, ranks)
        for number in range(self.first, min(self.first + self.height, len(placed.ranks))):
            for node in placed.ranks[number]:
                if isinstance(node, str):
                    self._draw_box(self.graph.rows[node], self._across(node), self._top(number))

    def _has(self, rank: int) -> bool:
        return self.first <= rank < self.first + self.height

    def _across(self, node: Node) -> float:
        return self.left + (self.graph.layout.places[node] - self.start) * self.width

    def _top(self, rank: int) -> float:
        return _MARGIN + _TITLE + _GAP + (rank - self.first) * (_BOX_HEIGHT + _GAP)

    def _draw_box(self, row: Row, across: float, top: float) -> None:
        width = self.width * 0.96
        edge: dict[str, Any] = {"edgecolor": "#333333", "linewidth": 2.0 if row["returned"] else 0.8}
        fill = next((fill for pattern, fill in _FILLS if re.search(pattern, row["kind"])), _OTHER_FILL)
        shape = "round,pad=0,rounding_size=0.06"
        box = FancyBboxPatch((across - width / 2, top), width, _BOX_HEIGHT, boxstyle=shape, facecolor=fill, **edge)
        self.axes.add_patch(box)
        lines = _lines(row)
        for number, line in enumerate(lines):
            place = top + _BOX_HEIGHT / 2 + _LINE * (number - (len(lines) - 1) / 2)
            weight = "bold" if number == 0 else "normal"
            self.axes.text(across, place, line, fontsize=_FONT, ha="center", va="center_baseline", weight=weight)

    def _draw_edge(self, chain: Sequence[Node], ranks: dict[Node, int]) -> None:
        """Draw the part of an edge in this column; where it comes from another one, the name of its source."""
        parts = [pair for pair in pairwise(chain) if self._has(ranks[pair[0]]) or self._has(ranks[pair[1]])]
        if not parts:
            return
        outline: list[tuple[float, float]] = []
        codes: list[Any] = []
        for upper, lower in parts:
            ends = (self._across(upper), self._across(lower))
            start, end = self._top(ranks[lower]) - _GAP, self._top(ranks[lower])
            if not self._has(ranks[upper]):  # enters from the column before
                ends = (ends[1], ends[1])
                self.axes.text(ends[1] + 0.04, start + 0.06, f"from {chain[0]}", fontsize=6.5, color=DATA, va="center")
            middle = (start + end) / 2
            outline += [(ends[0], start), (ends[0], middle), (ends[1], middle), (ends[1], end)]
            codes += [Outline.LINETO if codes else Outline.MOVETO, *[Outline.CURVE4] * 3]
            if not isinstance(lower, str) and self._has(ranks[lower]):
                outline.append((ends[1], end + _BOX_HEIGHT))
                codes.append(Outline.LINETO)
        arrow = "-|>" if parts[-1][1] == chain[-1] or not self._has(ranks[parts[-1][1]]) else "-"
        line: dict[str, Any] = {**_ARROW, "shrinkA": 0, "shrinkB": 0}
        self.axes.add_patch(FancyArrowPatch(path=Outline(outline, codes), arrowstyle=arrow, **line))

    def _draw_backward(self, source: str, target: str, ranks: dict[Node, int]) -> None:
        """Draw an edge to a layer that stands above its source, because it is shared: it is called again."""
        side = self.width * 0.48
        start, end = (
            (self._across(name) + side, self._top(ranks[name]) + _BOX_HEIGHT * share)
            for name, share in ((source, 0.4), (target, 0.6))
        )
        far = max(start[0], end[0]) + _BEND
        outline = Outline([start, (far, start[1]), (far, end[1]), end], [Outline.MOVETO, *[Outline.CURVE4] * 3])
        self.axes.add_patch(FancyArrowPatch(path=outline, arrowstyle="-|>", linestyle=(0, (4, 2)), **_ARROW))
