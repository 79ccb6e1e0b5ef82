"""Compares results with earlier ones, and finds slow-downs, for a continuous integration that must not fail on noise.

The two results are of different runs, so their rounds cannot be paired; only the medians are compared. The interval of
a median follows from its quartiles, m ± 1.57 (q3 - q1) / √n (McGill, Tukey and Larsen, 1978, *The American
Statistician* 32, page 16). If two intervals do not overlap, the medians differ at about the 95 % level. The intervals
do not cover changes of the machine between the two runs; the factor leaves room for those.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..errors import DataError

_NOTCH = 1.57
_TIMES = "s"
# Fewer samples say nothing about their noise.
_MIN_SAMPLES = 3
_FIGURE_COLUMNS = {"unit", "n", "median", "q1", "q3"}


@dataclass(frozen=True)
class Change:
    """A measurement beside that of the baseline.

    Attributes:
        before, after: the two rows.
        ratio: of the medians, new to old; None where the old one is 0.
        low, high: the interval of the ratio; None where the samples are too few to tell.
    """

    before: Mapping[str, Any]
    after: Mapping[str, Any]
    ratio: float | None
    low: float | None = None
    high: float | None = None

    @property
    def verdict(self) -> str:
        """`slower` or `faster`, of other things than times `more` or `less`; `no difference`, or empty if unknown."""
        if self.low is None or self.high is None:
            return ""
        if self.low <= 1 <= self.high:
            return "no difference"
        more, less = ("slower", "faster") if self.after["unit"] == _TIMES else ("more", "less")
        return more if self.low > 1 else less

    def is_slowdown(self, factor: float) -> bool:
        """Return whether a time has grown by more than the factor, and by more than noise explains."""
        return self.verdict == "slower" and bool(self.after["median"] > factor * self.before["median"])

    def sentence(self) -> str:
        """Return the change of a time in one line."""
        new, old = self.after, self.before
        return (
            f"slower: {new['recipe']} on {new['backend']}, {new['runner']}, {new['metric']}: "
            f"{new['median']:.4g} s against {old['median']:.4g} s before, {new['median'] / old['median']:.2f} times"
        )

    def to_json(self) -> dict[str, Any]:
        """Return the columns that identify the measurement, both medians, and the ratio with its interval."""
        figures = {"unit": self.after["unit"], "before": self.before["median"], "after": self.after["median"]}
        interval = {"ratio": self.ratio, "low": self.low, "high": self.high, "verdict": self.verdict}
        return {**dict(_identity(self.after)), **figures, **interval}


def compare(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Change]:
    """Return each measurement that two results have in common, in the order of the new ones.

    Args:
        before, after: results as JSON.

    Raises:
        DataError: the two have no measurement in common.
    """
    earlier = {_identity(row): row for row in before["rows"]}
    pairs = [(earlier[_identity(row)], row) for row in after["rows"] if _identity(row) in earlier]
    if not pairs:
        raise DataError("`baseline` has no measurement in common with these results: give results of the same suite")
    return [_change(old, new) for old, new in pairs]


def _change(old: Mapping[str, Any], new: Mapping[str, Any]) -> Change:
    ratio = new["median"] / old["median"] if old["median"] else None
    (old_low, old_high), (new_low, new_high) = _interval(old), _interval(new)
    if min(old["n"], new["n"]) < _MIN_SAMPLES or old_low <= 0:
        return Change(old, new, ratio)
    return Change(old, new, ratio, new_low / old_high, new_high / old_low)


def _interval(row: Mapping[str, Any]) -> tuple[float, float]:
    reach = _NOTCH * (row["q3"] - row["q1"]) / math.sqrt(row["n"])
    return row["median"] - reach, row["median"] + reach


def _identity(row: Mapping[str, Any]) -> tuple[tuple[str, Any], ...]:
    return tuple(sorted((name, value) for name, value in row.items() if name not in _FIGURE_COLUMNS))
