"""Reads the results of suites from a folder. The files may hold anything, so they are checked before they are shown."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...errors import DataError
from ...storage import safe_json
from ...storage.visible_text import visible, visible_values
from ..results import FILE, SCHEMA
from ..rows import cell_key

_WORDS = ("recipe", "backend", "device", "runner", "metric", "unit")
_FIGURE_COLUMNS = ("median", "q1", "q3", "n")
_COMPARED = ("recipe", "backend", "of", "over", "metric")
_WHERE = {"suite", "recipe", "backend", "device", "runner"}
# The optional keys of results, and their types.
_PARTS: dict[str, type | tuple[type, ...]] = {
    "suite": str,
    "asked": dict,
    "environment": dict,
    "load": dict,
    "machine": dict,
    "plans": dict,
    "rounds": (int, dict),
    "stopped_by": (str, dict),
    "failed": list,
    "why": list,
    "uncounted": dict,
    "without": dict,
}
_LARGEST_NUMBER = 1e300  # larger numbers break floats and charts

Row = dict[str, Any]


@dataclass(frozen=True)
class ReportPart:
    """The results of one suite.

    Attributes:
        suite: the name of the suite.
        path: the file of the results.
        raw: the whole content of the file.
    """

    suite: str
    path: Path
    raw: dict[str, Any]

    @property
    def rows(self) -> list[Row]:
        return self.raw["rows"]  # type: ignore[no-any-return]

    @property
    def ratios(self) -> list[Row]:
        return self.raw["ratios"]  # type: ignore[no-any-return]

    @property
    def backends(self) -> list[str]:
        """The backends of the rows, in order."""
        return list(dict.fromkeys(row["backend"] for row in self.rows))

    def get(self, name: str, otherwise: Any) -> Any:
        """Return an optional key of the file, or `otherwise`."""
        return self.raw.get(name, otherwise)

    def of(self, *metrics: str) -> list[Row]:
        """Return the rows of these metrics, in order."""
        return [row for row in self.rows if row["metric"] in metrics]

    def cell_median(self, row: Row, metric: str) -> float | None:
        """Return the median of another metric of the row's cell, or None."""
        key = cell_key(row)
        return next((other["median"] for other in self.of(metric) if cell_key(other) == key), None)


def sweep_point(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return the sweep point of a row, such as `{"batch_size": 64}`."""
    return {name: value for name, value in cell_key(row).items() if name not in _WHERE}


def fastest_first(rows: Sequence[Row]) -> list[Row]:
    """Return rows with those that are compared together: recipes as they were measured, then sweep points in order.

    Of one recipe and point the cell with the shortest first time comes first, with all its rows.
    """
    recipes = {recipe: place for place, recipe in enumerate(dict.fromkeys(row["recipe"] for row in rows))}
    keys = [tuple(sorted(cell_key(row).items(), key=str)) for row in rows]
    times: dict[Any, float] = {}
    for key, row in zip(keys, rows, strict=True):
        if row["unit"] == "s":
            times.setdefault(key, row["median"])

    def order(pair: tuple[Any, Row]) -> tuple[Any, ...]:
        key, row = pair
        point = [(not _is_number(value), value if _is_number(value) else 0) for value in sweep_point(row).values()]
        return recipes[row["recipe"]], point, times.get(key, math.inf)

    return [row for _, row in sorted(zip(keys, rows, strict=True), key=order)]


def read(place: Path) -> list[ReportPart]:
    """Read the results in a folder and in the folders directly within it, or in a single file.

    Results of other commands are ignored in the folders within; in the folder itself they are an error.

    Raises:
        DataError: there are no results, or they are damaged or of another schema.
    """
    if place.is_file():
        return [_part(place)]
    if not place.is_dir():
        raise DataError(f"there is no {place}: give the --out of a `trivium bench`")
    own = [place / FILE] if (place / FILE).exists() else []
    within = [path for path in sorted(place.glob(f"*/{FILE}")) if _is_suite_result(path)]
    if not own and not within:
        raise DataError(f"{place} holds no {FILE} of `trivium bench`: run one with --out {place}")
    return [_part(path) for path in (*own, *within)]


def _is_suite_result(path: Path) -> bool:
    raw = safe_json.read(path)
    return isinstance(raw, dict) and {"schema", "rows", "ratios"} <= raw.keys()


def _part(path: Path) -> ReportPart:
    raw = safe_json.read(path)
    if not isinstance(raw, dict) or not {"schema", "rows", "ratios"} <= raw.keys():
        raise DataError(f"{path} is no result of `trivium bench` (it has no ratios, rows, schema)")
    if raw["schema"] != SCHEMA:
        raise DataError(f"{path} has schema {str(raw['schema'])[:20]!r}, this trivium reads {SCHEMA}")
    return checked_part(raw, path)


def checked_part(raw: dict[str, Any], path: Path) -> ReportPart:
    """Return results as a part of the report, after a check of everything that it shows.

    Raises:
        DataError: something has another type than it should.
    """
    if not _is_well_formed(raw):
        raise DataError(f"{path} is damaged: it is not what `trivium bench` writes")
    suites = [raw["suite"]] if "suite" in raw else [row["suite"] for row in raw["rows"] if "suite" in row]
    return ReportPart(visible(str(suites[0])) if suites else "results", path, visible_values(raw))


def _is_well_formed(raw: Mapping[str, Any]) -> bool:
    """Return whether everything that the report shows has the right type."""
    return (
        all(isinstance(raw[name], kind) for name, kind in _PARTS.items() if name in raw)
        and all(_is_bounded(node) for node in safe_json.walk(raw))
        and _all_records(raw["rows"], _WORDS, _FIGURE_COLUMNS)
        and _all_records(raw["ratios"], _COMPARED, ("ratio", "low", "high"))
        and all(_is_scalar(value) for row in (*raw["rows"], *raw["ratios"]) for value in row.values())
        and all(_is_interval(item["low"], item["ratio"], item["high"]) for item in raw["ratios"])
        and _all_records(raw.get("failed", []), ("cell", "why"), ())
        and _all_records(raw.get("why", []), ("backend", "part"), ("seconds", "share"))
        and all(isinstance(item, dict) for item in raw.get("environment", {}).values())
        and _are_ceilings(raw.get("machine", {}))
    )


def _all_records(records: Any, words: tuple[str, ...], numbers: tuple[str, ...]) -> bool:
    return isinstance(records, list) and all(
        isinstance(record, dict)
        and all(isinstance(record.get(name), str) for name in words)
        and all(_is_number(record.get(name)) for name in numbers)
        for record in records
    )


def _are_ceilings(machine: Mapping[str, Any]) -> bool:
    return all(
        isinstance(libraries, dict)
        and _all_records(list(libraries.values()), (), ("gemm_gflops", "copy_gbytes"))
        and all(value > 0 for rates in libraries.values() for value in (rates["gemm_gflops"], rates["copy_gbytes"]))
        for libraries in machine.values()
    )


def _is_interval(low: float, ratio: float, high: float) -> bool:
    """Return whether a ratio lies in its interval, up to rounding."""
    return 0 < low <= ratio * (1 + 1e-9) and ratio <= high * (1 + 1e-9)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_scalar(value: Any) -> bool:
    return value is None or isinstance(value, str | int | float)


def _is_bounded(node: Any) -> bool:
    """Return whether a value is small enough to draw; always true for anything but a number."""
    return not _is_number(node) or -_LARGEST_NUMBER < node < _LARGEST_NUMBER
