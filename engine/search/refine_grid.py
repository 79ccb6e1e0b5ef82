"""Refine a grid: the values to try next lie closer together, around the best ones."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

# Values whose largest is more than this many times the smallest are log-spaced, as learning rates are.
_LOG_SPACED_RATIO = 9.0


def refine(grid: Mapping[str, Sequence[Any]], best: Mapping[str, Any]) -> dict[str, list[Any]]:
    """Return a grid around the best combination: the best number of each option, and the midpoints to its neighbours.

    Options that are not numbers keep their best value.

    Example:
        >>> finer({"units": [20, 30, 40], "optimizer": ["adam", "sgd"]}, {"units": 30, "optimizer": "sgd"})
        {'units': [25, 30, 35], 'optimizer': ['sgd']}
    """
    return {name: _refine_values(values, best[name]) for name, values in grid.items()}


def _refine_values(values: Sequence[Any], best: Any) -> list[Any]:
    numbers = sorted({value for value in values if _is_number(value)})
    if not _is_number(best) or len(numbers) < 2:
        return [best]
    index = numbers.index(best)
    log_spaced = numbers[0] > 0 and numbers[-1] / numbers[0] > _LOG_SPACED_RATIO
    neighbours = numbers[max(0, index - 1) : index] + numbers[index + 1 : index + 2]
    if len(neighbours) == 1 and (log_spaced or isinstance(best, int)):
        # The best value is at an end of the grid: extend the grid as far beyond it as its neighbour is on the other
        # side. Not for linearly spaced fractions, which may have to stay below 1, as a dropout rate must.
        beyond = best * best / neighbours[0] if log_spaced else 2 * best - neighbours[0]
        neighbours += [beyond] if beyond > 0 else []
    return sorted({best, *(_midpoint(neighbour, best, log_spaced) for neighbour in neighbours)})


def _midpoint(neighbour: float, best: float, log_spaced: bool) -> float:
    middle = math.sqrt(neighbour * best) if log_spaced else (neighbour + best) / 2
    return round(middle) if isinstance(best, int) else middle


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
