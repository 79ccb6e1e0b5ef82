"""Are these times worse than earlier ones? For a continuous integration that fails on a slow-down, not on noise.

Earlier and later are different runs, so no rounds can be paired: what each says of its medians is all there is. The
interval of a median is taken from its quartiles, m ± 1.57 (q3 - q1) / √n (McGill, Tukey and Larsen, 1978, *The American
Statistician* 32, page 16); where two such do not overlap, the medians differ at about the 95 % level. It cannot know
what has happened to the machine between the two runs: that is what the factor leaves room for.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from ..errors import DataError

_NOTCH = 1.57
_TIMES = "s"
# What is measured once says nothing of its own noise.
_FEWEST = 3
_FIGURES = {"unit", "n", "median", "q1", "q3"}


def slower(before: Mapping[str, Any], after: Mapping[str, Any], factor: float) -> list[str]:
    """A sentence for each time that is longer than before by more than that factor, and beyond what noise explains.

    Args:
        before, after: results as JSON.

    Raises:
        DataError: they have no measurement in common.
    """
    earlier = {_identity(row): row for row in before["rows"]}
    pairs = [(earlier[_identity(row)], row) for row in after["rows"] if _identity(row) in earlier]
    if not pairs:
        raise DataError("--baseline has no measurement in common with this one: take results of the same suite")
    return [_sentence(old, new) for old, new in pairs if _is_slower(old, new, factor)]


def _is_slower(old: Mapping[str, Any], new: Mapping[str, Any], factor: float) -> bool:
    if new["unit"] != _TIMES or min(old["n"], new["n"]) < _FEWEST:
        return False
    return bool(new["median"] > factor * old["median"] and _interval(new)[0] > _interval(old)[1])


def _interval(row: Mapping[str, Any]) -> tuple[float, float]:
    reach = _NOTCH * (row["q3"] - row["q1"]) / math.sqrt(row["n"])
    return row["median"] - reach, row["median"] + reach


def _identity(row: Mapping[str, Any]) -> tuple[tuple[str, Any], ...]:
    return tuple(sorted((name, value) for name, value in row.items() if name not in _FIGURES))


def _sentence(old: Mapping[str, Any], new: Mapping[str, Any]) -> str:
    return (
        f"slower: {new['recipe']} on {new['backend']}, {new['runner']}, {new['metric']}: "
        f"{new['median']:.4g} s against {old['median']:.4g} s before, {new['median'] / old['median']:.2f} times"
    )
