"""The results of a suite in a notebook: what was measured, and the ratios with their intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from xml.etree.ElementTree import Element

from ...notebook.parts import sentences, table

_LAYERS = "layer_answer"  # one row for each layer, which is the detail of another row


def results_tables(
    rows: Sequence[Mapping[str, Any]], ratios: Sequence[Mapping[str, Any]], failed: Sequence[Mapping[str, str]]
) -> list[Element]:
    """Return the tables; the arguments are those of `Results`, and a ratio whose interval contains 1 is called so."""
    columns = ("recipe", "backend", "metric", "median", "unit")
    cells = [[row[name] for name in columns] for row in rows if row["metric"] != _LAYERS]
    tables = [table(columns, cells, numbers=("median",))] if cells else []
    if ratios:
        header = ("recipe", "backend", "metric", "of ÷ over", "ratio", "95 % interval", "")
        tables.append(table(header, [_ratio_cells(ratio) for ratio in ratios], numbers=("ratio", "95 % interval")))
    return [*tables, *sentences((f"{failure['cell']}: {failure['why']}" for failure in failed), "failed")]


def _ratio_cells(ratio: Mapping[str, Any]) -> list[object]:
    low, high = ratio["low"], ratio["high"]
    where = [ratio["recipe"], ratio["backend"], ratio["metric"], f"{ratio['of']} ÷ {ratio['over']}"]
    interval = f"[{low:.2f}, {high:.2f}]"
    return [*where, f"{ratio['ratio']:.2f}", interval, "no difference" if low <= 1 <= high else ""]
