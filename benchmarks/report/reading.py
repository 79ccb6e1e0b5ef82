"""Results of suites, read from a folder that may hold anything: checked before a word of it is shown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...errors import DataError
from ...storage import safe_json
from ..results import FILE, SCHEMA
from ..rows import about

_WORDS = ("recipe", "backend", "device", "runner", "metric", "unit")
_FIGURES = ("median", "q1", "q3", "n")
_COMPARED = ("recipe", "backend", "of", "over", "metric")
_WHERE = {"suite", "recipe", "backend", "device", "runner"}
# What else results may hold, and of which type it then is; None of it has to be there.
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
_LARGEST_NUMBER = 1e300  # beyond it neither floats nor charts go

Row = dict[str, Any]


@dataclass(frozen=True)
class Part:
    """What one suite found.

    Attributes:
        suite: its name.
        path: the file that it was read from.
        raw: all of the file.
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
        """Those of the rows, in their order."""
        return list(dict.fromkeys(row["backend"] for row in self.rows))

    def get(self, name: str, otherwise: Any) -> Any:
        """What the file holds under a name, which may not be there."""
        return self.raw.get(name, otherwise)

    def of(self, *metrics: str) -> list[Row]:
        """The rows of these metrics, in their order."""
        return [row for row in self.rows if row["metric"] in metrics]

    def beside(self, row: Row, metric: str) -> float | None:
        """The median of another metric of the cell that a row is of."""
        wanted = about(row)
        return next((each["median"] for each in self.of(metric) if about(each) == wanted), None)


def varied(row: Mapping[str, Any]) -> dict[str, Any]:
    """What was varied, of a row: `{"batch_size": 64}`."""
    return {name: value for name, value in about(row).items() if name not in _WHERE}


def read(place: Path) -> list[Part]:
    """What suites left in a folder, or in folders directly within it; or in a file that is named itself.

    What another command left in a folder within is passed over; in the folder itself it is an error.

    Raises:
        DataError: there are no results, or some that are damaged or of another schema.
    """
    if place.is_file():
        return [_part(place)]
    if not place.is_dir():
        raise DataError(f"there is no {place}: give the --out of a `trivium bench`")
    own = [place / FILE] if (place / FILE).exists() else []
    within = [path for path in sorted(place.glob(f"*/{FILE}")) if _is_of_a_suite(path)]
    if not own and not within:
        raise DataError(f"{place} holds no {FILE} of `trivium bench`: run one with --out {place}")
    return [_part(path) for path in (*own, *within)]


def _is_of_a_suite(path: Path) -> bool:
    found = safe_json.read(path)
    return isinstance(found, dict) and {"schema", "rows", "ratios"} <= found.keys()


def _part(path: Path) -> Part:
    raw = safe_json.read(path)
    if not isinstance(raw, dict) or not {"schema", "rows", "ratios"} <= raw.keys():
        raise DataError(f"{path} is no result of `trivium bench` (it has no ratios, rows, schema)")
    if raw["schema"] != SCHEMA:
        raise DataError(f"{path} has schema {str(raw['schema'])[:20]!r}, this trivium reads {SCHEMA}")
    if not _is_well_formed(raw):
        raise DataError(f"{path} is damaged: it is not what `trivium bench` writes")
    suites = [raw["suite"]] if "suite" in raw else [row["suite"] for row in raw["rows"] if "suite" in row]
    return Part(str(suites[0]) if suites else "results", path, raw)


def _is_well_formed(raw: Mapping[str, Any]) -> bool:
    """Whether everything that the report shows is of the type that it has to be."""
    return (
        all(isinstance(raw[name], kind) for name, kind in _PARTS.items() if name in raw)
        and all(_is_bounded(node) for node, _ in safe_json.nodes(raw))
        and _all_like(raw["rows"], _WORDS, _FIGURES)
        and _all_like(raw["ratios"], _COMPARED, ("ratio", "low", "high"))
        and all(_is_scalar(value) for row in (*raw["rows"], *raw["ratios"]) for value in row.values())
        and all(_is_interval(each["low"], each["ratio"], each["high"]) for each in raw["ratios"])
        and _all_like(raw.get("failed", []), ("cell", "why"), ())
        and _all_like(raw.get("why", []), ("backend", "part"), ("seconds", "share"))
        and all(isinstance(each, dict) for each in raw.get("environment", {}).values())
        and _are_ceilings(raw.get("machine", {}))
    )


def _all_like(found: Any, words: tuple[str, ...], numbers: tuple[str, ...]) -> bool:
    return isinstance(found, list) and all(
        isinstance(each, dict)
        and all(isinstance(each.get(name), str) for name in words)
        and all(_is_number(each.get(name)) for name in numbers)
        for each in found
    )


def _are_ceilings(machine: Mapping[str, Any]) -> bool:
    return all(
        isinstance(kind, dict)
        and _all_like(list(kind.values()), (), ("gemm_gflops", "copy_gbytes"))
        and all(value > 0 for each in kind.values() for value in (each["gemm_gflops"], each["copy_gbytes"]))
        for kind in machine.values()
    )


def _is_interval(low: float, ratio: float, high: float) -> bool:
    """Whether a ratio lies in its interval, but for rounding."""
    return 0 < low <= ratio * (1 + 1e-9) and ratio <= high * (1 + 1e-9)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_scalar(value: Any) -> bool:
    return value is None or isinstance(value, str | int | float)


def _is_bounded(node: Any) -> bool:
    """Whether a number is one that can be drawn; what is no number is none of this."""
    return not _is_number(node) or -_LARGEST_NUMBER < node < _LARGEST_NUMBER
