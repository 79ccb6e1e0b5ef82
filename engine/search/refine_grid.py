"""The values to try next: closer to each other, around those that did best."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

# Values that differ by more than this factor are taken to be spaced by factors, as learning rates are.
_BY_FACTORS = 9.0


def finer(grid: Mapping[str, Sequence[Any]], best: Mapping[str, Any]) -> dict[str, list[Any]]:
    """A grid around the best combination: half-way to its neighbours on both sides; words stay as they are.

    Example:
        >>> finer({"units": [20, 30, 40], "optimizer": ["adam", "sgd"]}, {"units": 30, "optimizer": "sgd"})
        {'units': [25, 30, 35], 'optimizer': ['sgd']}
    """
    return {name: _around(values, best[name]) for name, values in grid.items()}


def _around(values: Sequence[Any], best: Any) -> list[Any]:
    numbers = sorted({value for value in values if _is_number(value)})
    if not _is_number(best) or len(numbers) < 2:
        return [best]
    place = numbers.index(best)
    factors = numbers[0] > 0 and numbers[-1] / numbers[0] > _BY_FACTORS
    neighbours = numbers[max(0, place - 1) : place] + numbers[place + 1 : place + 2]
    if len(neighbours) == 1 and (factors or isinstance(best, int)):
        # At an end, as far beyond it as the neighbour is on this side. Not for other fractions: they may have to stay
        # below 1, as a dropout rate has.
        beyond = best * best / neighbours[0] if factors else 2 * best - neighbours[0]
        neighbours += [beyond] if beyond > 0 else []
    return sorted({best, *(_between(neighbour, best, factors) for neighbour in neighbours)})


def _between(neighbour: float, best: float, factors: bool) -> float:
    middle = math.sqrt(neighbour * best) if factors else (neighbour + best) / 2
    return round(middle) if isinstance(best, int) else middle


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
