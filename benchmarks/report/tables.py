"""The tables of a suite: the medians of each cell, the ratios, every figure, and the machine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ..results import STEADY
from ..rows import cell_key
from .figures import differs, heading, scaled, shown_unit, three, times, unit_of, words
from .results_reader import ReportPart, Row, fastest_first, sweep_point

# The metrics that only the long table shows where epochs are timed.
_LONG_TABLE_ONLY = {
    "flops",
    "throughput",
    "intensity",
    "copy_share",
    "build",
    "parameters",
    "first_epoch",
    "device_memory",
    "loss",
    "accuracy",
}
_WHERE = ("recipe", "backend", "device", "runner")


@dataclass(frozen=True)
class TableCell:
    """The content of a table cell.

    Attributes:
        text: the shown text.
        key: the value to sort by; text sorts after numbers.
    """

    text: str
    key: float | str


@dataclass(frozen=True)
class Table:
    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[TableCell]]


def tables(part: ReportPart) -> list[Table]:
    """Return the main tables, of cells and of ratios, without empty ones."""
    return [table for table in (cells(part), ratios(part)) if table.rows]


def cells(part: ReportPart) -> Table:
    """Return a line for each cell, with its medians side by side."""
    timed = any(row["metric"].startswith(STEADY) for row in part.rows)
    rows = [row for row in part.rows if "layer" not in row and not (timed and row["metric"] in _LONG_TABLE_ONLY)]
    rows = fastest_first(rows)
    rows.sort(key=lambda row: not row["metric"].startswith(STEADY))  # a stable sort that puts epoch times first
    columns = [name for name in _names(rows) if len({str(row.get(name, "")) for row in rows}) > 1 or name == "backend"]
    metrics = {row["metric"]: heading(row) for row in rows}
    lines: dict[str, dict[str, Row]] = {}
    for row in rows:
        lines.setdefault(str(sorted(cell_key(row).items(), key=str)), {})[row["metric"]] = row
    table_rows = []
    for by_metric in lines.values():
        first = next(iter(by_metric.values()))
        table_rows.append(
            [*(_word(first.get(name)) for name in columns), *(_median(by_metric.get(metric)) for metric in metrics)]
        )
    return Table("Medians", [*map(words, columns), *metrics.values()], table_rows)


def ratios(part: ReportPart) -> Table:
    """Return a line for each ratio, with its interval and verdict."""
    ratio_rows = part.ratios
    columns = [name for name in _names(ratio_rows) if name not in {"of", "over", "ratio", "low", "high", "metric"}]
    columns = [name for name in columns if len({str(row.get(name, "")) for row in ratio_rows}) > 1]
    table_rows = [
        [
            _word(row["of"]),
            _word(row["over"]),
            *(_word(row.get(name)) for name in columns),
            *(TableCell(times(row[name]), row[name]) for name in ("ratio", "low", "high")),
            _word("a difference" if differs(row) else "no difference"),
        ]
        for row in ratio_rows
    ]
    return Table("Ratios", ["of", "over", *map(words, columns), "ratio", "low", "high", "verdict"], table_rows)


def everything(part: ReportPart) -> Table:
    """Return a line for every row of the results."""
    columns = [
        *_names(part.rows),
        *(name for name in ("layer", "kind", "epochs") if any(name in row for row in part.rows)),
    ]
    table_rows = []
    for row in part.rows:
        figures = [TableCell(three(scaled(row[name], unit_of(row))), row[name]) for name in ("median", "q1", "q3")]
        last = [_word(shown_unit(unit_of(row))), TableCell(str(row["n"]), row["n"])]
        table_rows.append([_word(words(row["metric"])), *(_word(row.get(name)) for name in columns), *figures, *last])
    return Table("Every figure", ["metric", *map(words, columns), "median", "q1", "q3", "unit", "samples"], table_rows)


def environment(part: ReportPart) -> Table:
    """Return a line for each property of the machine, with a column for each backend and device."""
    columns = {place: dict(_flat(description)) for place, description in part.get("environment", {}).items()}
    for kind, ceilings in part.get("machine", {}).items():
        for library, rates in ceilings.items():
            for name, value in rates.items():
                for column in columns.values():
                    column[f"{kind}, {words(name)} by {library}"] = three(value)
    names = list(dict.fromkeys(name for column in columns.values() for name in column))
    table_rows = [[_word(name), *(_word(column.get(name, "–")) for column in columns.values())] for name in names]
    return Table("Environment", ["", *columns], table_rows)


def _flat(node: Any, before: str = "") -> list[tuple[str, str]]:
    if isinstance(node, dict) and node:
        return [pair for name, value in node.items() for pair in _flat(value, f"{before} {words(str(name))}".strip())]
    if isinstance(node, list):
        return [(before, ", ".join(map(str, node)) or "–")]
    return [(before, "–" if node is None or node == {} else str(node))]


def _names(rows: Sequence[Row]) -> list[str]:
    """Return the columns that identify the rows, then those of the sweep."""
    more = dict.fromkeys(name for row in rows for name in sweep_point(row))
    return [*(name for name in _WHERE if any(name in row for row in rows)), *more]


def _word(value: Any) -> TableCell:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return TableCell(str(value), value)
    return TableCell("" if value is None else str(value), "" if value is None else str(value))


def _median(row: Row | None) -> TableCell:
    if row is None:
        return TableCell("–", "")
    return TableCell(three(scaled(row["median"], unit_of(row))), row["median"])
