"""Finds slow-downs against earlier results, for a continuous integration that must not fail on noise.

The two results are of different runs, so their rounds cannot be paired; only the medians are compared. The interval of
a median follows from its quartiles, m ± 1.57 (q3 - q1) / √n (McGill, Tukey and Larsen, 1978, *The American
Statistician* 32, page 16). If two intervals do not overlap, the medians differ at about the 95 % level. The intervals
do not cover changes of the machine between the two runs; the factor leaves room for those.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from ..errors import DataError

_NOTCH = 1.57
_TIMES = "s"
# Fewer samples say nothing about their noise.
_MIN_SAMPLES = 3
_FIGURE_COLUMNS = {"unit", "n", "median", "q1", "q3"}


def find_slowdowns(before: Mapping[str, Any], after: Mapping[str, Any], factor: float) -> list[str]:
    """Return a sentence for each time that has grown by more than the factor, and by more than noise explains.

    Args:
        before, after: results as JSON.
        factor: the growth that is tolerated, such as 1.1.

    Raises:
        DataError: the two have no measurement in common.
    """
    earlier = {_identity(row): row for row in before["rows"]}
    pairs = [(earlier[_identity(row)], row) for row in after["rows"] if _identity(row) in earlier]
    if not pairs:
        raise DataError("`baseline` has no measurement in common with these results: give results of the same suite")
    return [_sentence(old, new) for old, new in pairs if _is_slowdown(old, new, factor)]


def _is_slowdown(old: Mapping[str, Any], new: Mapping[str, Any], factor: float) -> bool:
    if new["unit"] != _TIMES or min(old["n"], new["n"]) < _MIN_SAMPLES:
        return False
    return bool(new["median"] > factor * old["median"] and _interval(new)[0] > _interval(old)[1])


def _interval(row: Mapping[str, Any]) -> tuple[float, float]:
    reach = _NOTCH * (row["q3"] - row["q1"]) / math.sqrt(row["n"])
    return row["median"] - reach, row["median"] + reach


def _identity(row: Mapping[str, Any]) -> tuple[tuple[str, Any], ...]:
    return tuple(sorted((name, value) for name, value in row.items() if name not in _FIGURE_COLUMNS))


def _sentence(old: Mapping[str, Any], new: Mapping[str, Any]) -> str:
    return (
        f"slower: {new['recipe']} on {new['backend']}, {new['runner']}, {new['metric']}: "
        f"{new['median']:.4g} s against {old['median']:.4g} s before, {new['median'] / old['median']:.2f} times"
    )
