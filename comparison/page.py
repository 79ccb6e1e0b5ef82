"""A comparison as one HTML page that needs no network and runs no script.

All text that comes from models and files is escaped by the template.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np

from ..engine.plots.graph_layout import Node, layout
from ..engine.plots.page_templates import page_environment
from ..storage.atomic import write_text
from ..storage.visible_text import visible, visible_values
from .report import ComparisonReport, LayerDifference

# Pixels.
_BOX_WIDTH, _BOX_HEIGHT, _GAP, _MARGIN = 210, 36, 22, 16
_CURVES = {"width": 640, "height": 240, "left": 70, "right": 625, "top": 12, "bottom": 210}
_LONGEST = 32  # letters in a box


def write_page(report: ComparisonReport, path: Path) -> None:
    """Write the page of a comparison.

    Raises:
        OptionError: Jinja2 is not installed.
        OutputError: the file cannot be written.
    """
    environment = page_environment(_file("page.css"))
    document = visible_values(report.to_json())
    differences = {each.mine: each for each in report.layers}
    page = environment.from_string(_file("page.html")).render(
        {
            **document,
            "title": f"{Path(document['a']).name} and {Path(document['b']).name}: {document['verdict']}",
            "finding": document["finding"].removesuffix("; ".join(["", *document["causes"]])),
            "checks": [_check_row(check) for check in document["checks"]],
            "layers": [_layer_row(each, report.place) for each in report.layers],
            "curves": _curves(*report.losses) if report.losses else None,
            "graph": _graph(report.graph, differences, report.place),
        }
    )
    write_text(path, page)


def _file(name: str) -> str:
    return resources.files(__package__ or "").joinpath(name).read_text("utf-8")


def _check_row(check: Mapping[str, Any]) -> dict[str, str]:
    return {
        "what": check["what"],
        "where": check["where"],
        "difference": _number(check["difference"]),
        "tolerance": _number(check["tolerance"]),
        "status": "same" if check["passed"] else "differ",
    }


def _layer_row(layer: LayerDifference, place: tuple[str, str] | None) -> dict[str, str]:
    return {
        "mine": visible(layer.mine),
        "others": visible(layer.others),
        "kind": layer.kind,
        "difference": _number(layer.difference),
        "tolerance": _number(layer.tolerance),
        "status": _status(layer, place),
    }


def _status(layer: LayerDifference, place: tuple[str, str] | None) -> str:
    """Return the classes of a part in the style sheet; the first that differs is where the models part."""
    if layer.passed:
        return "same"
    return "differ first" if place and layer.mine == place[0] else "differ"


def _number(value: float | None) -> str:
    return "∞" if value is None or not np.isfinite(value) else f"{value:.1e}"


def _curves(mine: Sequence[float], others: Sequence[float]) -> dict[str, Any]:
    """Return the polylines of two curves of losses, and a point to hover over for each step."""
    finite = [value for value in (*mine, *others) if np.isfinite(value)] or [0.0]
    low, high = min(finite), max(finite)
    steps = max(len(mine), len(others))
    across = np.linspace(_CURVES["left"], _CURVES["right"], steps) if steps > 1 else [float(_CURVES["left"])]

    def down(value: float) -> float:
        share = (value - low) / (high - low) if high > low else 0.5
        return _CURVES["bottom"] - share * (_CURVES["bottom"] - _CURVES["top"])

    def line(values: Sequence[float]) -> str:
        points = zip(across, values, strict=False)
        return " ".join(f"{x:.1f},{down(value):.1f}" for x, value in points if np.isfinite(value))

    points = [
        {"x": f"{x:.1f}", "y": f"{down(a):.1f}", "text": f"step {step}: A {a:.7g}, B {b:.7g}"}
        for step, (x, a, b) in enumerate(zip(across, mine, others, strict=False), 1)
        if np.isfinite(a)
    ]
    ends = {"low": f"{low:.3g}", "high": f"{high:.3g}", "steps": steps}
    return {**_CURVES, **ends, "a": line(mine), "b": line(others), "points": points}


def _graph(
    sources: Mapping[str, tuple[str, Sequence[str]]],
    differences: Mapping[str, LayerDifference],
    place: tuple[str, str] | None,
) -> dict[str, Any]:
    """Return the boxes and edges of a graph: for each node its kind and the nodes before it."""
    placed = layout({name: before for name, (_, before) in sources.items()})
    ranks = {node: number for number, rank in enumerate(placed.ranks) for node in rank}
    left, right = placed.ends(0, len(placed.ranks))
    width = _BOX_WIDTH + _GAP

    def x(node: Node) -> float:
        return _MARGIN + (placed.places[node] - left) * width

    def y(node: Node) -> float:
        return float(_MARGIN + ranks[node] * (_BOX_HEIGHT + _GAP))

    return {
        "width": round((right - left) * width + 2 * _MARGIN),
        "height": round(len(placed.ranks) * (_BOX_HEIGHT + _GAP) + _MARGIN),
        "box_width": _BOX_WIDTH,
        "box_height": _BOX_HEIGHT,
        "boxes": [
            _box(name, kind, (x(name) - _BOX_WIDTH / 2, y(name)), differences.get(name), place)
            for name, (kind, _) in sources.items()
        ],
        "edges": [_edge(chain, x, y) for chain in placed.chains],
    }


def _box(
    name: str,
    kind: str,
    corner: tuple[float, float],
    layer: LayerDifference | None,
    place: tuple[str, str] | None,
) -> dict[str, Any]:
    x, y = corner
    box = {"name": _short(visible(name)), "x": round(x, 1), "y": y}
    if layer is None:
        return {**box, "status": "", "detail": kind, "text": visible(f"{name} ({kind})")}
    values = f"{_number(layer.difference)}, allowed {_number(layer.tolerance)}"
    return {
        **box,
        "status": _status(layer, place),
        "detail": _short(f"{kind}  {_number(layer.difference)}"),
        "text": visible(f"{name} ({kind}) and {layer.others}: {values}"),
    }


def _edge(chain: Sequence[Node], x: Any, y: Any) -> str:
    first, *between, last = chain
    points = [(x(first), y(first) + _BOX_HEIGHT)]
    points += [(x(node), y(node) + height) for node in between for height in (0, _BOX_HEIGHT)]
    return " ".join(f"{across:.1f},{down:.1f}" for across, down in [*points, (x(last), y(last))])


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
