"""Tables of a suite: what was measured of each cell, its ratios, every figure there is, and the machine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ..results import STEADY
from ..rows import about
from .figures import differs, heading, scaled, shown_unit, three, times, words
from .reading import Part, Row, varied

# What the short table leaves out where epochs are timed: the long one has it.
_LEFT_OUT = {
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
class Shown:
    """What stands in a cell of a table.

    Attributes:
        text: as it is read.
        key: what it is sorted by; text sorts after numbers.
    """

    text: str
    key: float | str


@dataclass(frozen=True)
class Table:
    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Shown]]


def tables(part: Part) -> list[Table]:
    """What is read first: a line a cell, and a line a ratio; those that are empty left out."""
    return [table for table in (cells(part), ratios(part)) if table.rows]


def cells(part: Part) -> Table:
    """A line for each cell, its medians side by side."""
    timed = any(row["metric"].startswith(STEADY) for row in part.rows)
    rows = [row for row in part.rows if "layer" not in row and not (timed and row["metric"] in _LEFT_OUT)]
    rows.sort(key=lambda row: not row["metric"].startswith(STEADY))  # what the suite is about comes first; stable
    at = [name for name in _names(rows) if len({str(row.get(name, "")) for row in rows}) > 1 or name == "backend"]
    metrics = {row["metric"]: heading(row["metric"], row["unit"]) for row in rows}
    lines: dict[str, dict[str, Row]] = {}
    for row in rows:
        lines.setdefault(str(sorted(about(row).items(), key=str)), {})[row["metric"]] = row
    made = []
    for found in lines.values():
        first = next(iter(found.values()))
        made.append([*(_word(first.get(name)) for name in at), *(_median(found.get(metric)) for metric in metrics)])
    return Table("Medians", [*map(words, at), *metrics.values()], made)


def ratios(part: Part) -> Table:
    """A line for each ratio, with its interval and what it says."""
    found = part.ratios
    at = [name for name in _names(found) if name not in {"of", "over", "ratio", "low", "high", "metric"}]
    at = [name for name in at if len({str(row.get(name, "")) for row in found}) > 1]
    made = [
        [
            _word(row["of"]),
            _word(row["over"]),
            *(_word(row.get(name)) for name in at),
            *(Shown(times(row[name]), row[name]) for name in ("ratio", "low", "high")),
            _word("a difference" if differs(row) else "no difference"),
        ]
        for row in found
    ]
    return Table("Ratios", ["of", "over", *map(words, at), "ratio", "low", "high", "verdict"], made)


def everything(part: Part) -> Table:
    """Every row there is."""
    at = [*_names(part.rows), *(name for name in ("layer", "kind", "epochs") if any(name in row for row in part.rows))]
    made = []
    for row in part.rows:
        figures = [Shown(three(scaled(row[name], row["unit"])), row[name]) for name in ("median", "q1", "q3")]
        last = [_word(shown_unit(row["unit"])), Shown(str(row["n"]), row["n"])]
        made.append([_word(words(row["metric"])), *(_word(row.get(name)) for name in at), *figures, *last])
    return Table("Every figure", ["metric", *map(words, at), "median", "q1", "q3", "unit", "samples"], made)


def environment(part: Part) -> Table:
    """A line for each thing that is known of a machine, a column for each place that it was told of."""
    places = {place: dict(_flat(told)) for place, told in part.get("environment", {}).items()}
    for kind, measured in part.get("machine", {}).items():
        for who, told in measured.items():
            for name, value in told.items():
                for found in places.values():
                    found[f"{kind}, {words(name)} by {who}"] = three(value)
    names = list(dict.fromkeys(name for found in places.values() for name in found))
    made = [[_word(name), *(_word(found.get(name, "–")) for found in places.values())] for name in names]
    return Table("Environment", ["", *places], made)


def _flat(told: Any, before: str = "") -> list[tuple[str, str]]:
    if isinstance(told, dict) and told:
        return [pair for name, value in told.items() for pair in _flat(value, f"{before} {words(str(name))}".strip())]
    if isinstance(told, list):
        return [(before, ", ".join(map(str, told)) or "–")]
    return [(before, "–" if told is None or told == {} else str(told))]


def _names(rows: Sequence[Row]) -> list[str]:
    """Where rows are of, then whatever was varied."""
    more = dict.fromkeys(name for row in rows for name in varied(row))
    return [*(name for name in _WHERE if any(name in row for row in rows)), *more]


def _word(value: Any) -> Shown:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return Shown(str(value), value)
    return Shown("" if value is None else str(value), "" if value is None else str(value))


def _median(row: Row | None) -> Shown:
    if row is None:
        return Shown("–", "")
    return Shown(three(scaled(row["median"], row["unit"])), row["median"])
