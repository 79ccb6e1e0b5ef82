"""Formats numbers for people: three digits, a unit, and an interval beside every ratio."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..statistics import excludes_one

# The factor and the shown unit for each unit of the rows.
_SHARE = "share"
_SHOWN = {"B": (1e-6, "MB"), "1": (1.0, ""), "FLOP": (1e-9, "GFLOP"), _SHARE: (100.0, "%")}
_HEADINGS = {"gflops": "speed", "gemm_share": "of peak", "copy_share": "of copy peak"}


def three(value: float) -> str:
    """Format three significant digits, without an exponent where possible."""
    if abs(value) >= 1000:
        return f"{value:,.0f}" if abs(value) < 1e9 else f"{value:.2e}"
    return f"{value:.3g}" if abs(value) >= 0.001 or value == 0 else f"{value:.1e}"


def duration(seconds: float) -> str:
    """Format seconds with a suitable unit: `1.2 s`, `36 ms`, `300 µs`."""
    unit, factor = ("s", 1.0) if seconds >= 0.1 else ("ms", 1e3) if seconds >= 1e-3 else ("µs", 1e6)
    return f"{three(seconds * factor)} {unit}"


def scaled(value: float, unit: str) -> float:
    """Convert a number to the shown unit."""
    return value * _SHOWN.get(unit, (1.0, unit))[0]


def shown_unit(unit: str) -> str:
    """Return the shown unit: MB for bytes, empty for a number without unit."""
    return _SHOWN.get(unit, (1.0, unit))[1]


def unit_of(row: Mapping[str, Any]) -> str:
    """Return the unit of a row, or one for shares, which are shown in per cent."""
    return _SHARE if row["unit"] == "1" and row["metric"].endswith("_share") else str(row["unit"])


def heading(row: Mapping[str, Any]) -> str:
    """Format a heading such as `steady epoch (s)` for the metric of a row."""
    unit_text = shown_unit(unit_of(row))
    name = _HEADINGS.get(row["metric"], words(row["metric"]))
    return name + (f" ({unit_text})" if unit_text else "")


def words(name: str) -> str:
    """Format a name such as `steady_epoch` as `steady epoch`."""
    return name.replace("_", " ")


def times(value: float) -> str:
    """Format a factor: `2.99`, `20.0`, `0.98`."""
    return f"{value:.2f}" if 0.1 <= value < 10 else f"{value:.1f}" if 10 <= value < 100 else three(value)


def interval(ratio: Mapping[str, Any]) -> str:
    """Format a ratio with its interval: `2.99 [2.80, 3.53]`."""
    return f"{times(ratio['ratio'])} [{times(ratio['low'])}, {times(ratio['high'])}]"


def differs(ratio: Mapping[str, Any]) -> bool:
    """Return whether the interval of a ratio excludes 1."""
    return excludes_one(ratio["low"], ratio["high"])
