"""Where a series of times has changed, with the ratio and its interval.

A run differs from the next by more than its own quartiles tell: other work, another layout of memory. So only medians
of whole runs are compared, by their ranks: the runs before a place against those after it, by the rank-sum test of
Mann and Whitney. Each series is searched at many places, so the level of each is 5 % divided by their number
(Bonferroni): of twenty series without a change, one is expected to show one. The interval of the ratio is the inversion
of the same test at the same level. Eight runs are the fewest in which a change can be shown at all: four before it, and
four after it.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from ..statistics import excludes_one

LEVEL = 0.05
FEWEST = 4  # runs on either side of a change
# Above this number of pairs of runs the rank sum is close to a normal distribution.
_EXACT_PAIRS = 400


@dataclass(frozen=True)
class ChangePoint:
    """A change between two runs.

    Attributes:
        place: the number of the first run after the change.
        ratio: the times after it relative to those before it, with its interval `low` to `high`.
    """

    place: int
    ratio: float
    low: float
    high: float


def change_points(medians: Sequence[float]) -> list[ChangePoint]:
    """Return the changes in a series of positive times, the oldest first.

    The series is divided where its parts have the least spread, of all places where the test shows a change; then both
    parts are searched. All tests together are wrong in at most 5 % of the series without a change: those of a part are
    only made where the whole has changed.
    """
    logarithms = np.log(np.asarray(medians, "float64"))
    level = LEVEL / max(1, len(logarithms) - 2 * FEWEST + 1)
    bounds = [0, *sorted(_divide(logarithms, 0, len(logarithms), level)), len(logarithms)]
    spans = zip(bounds[:-2], bounds[1:-1], bounds[2:], strict=True)
    changes = [_change(logarithms, *span, level) for span in spans]
    return [change for change in changes if excludes_one(change.low, change.high)]


def _divide(values: np.ndarray, first: int, end: int, level: float) -> Iterator[int]:
    """Yield the places of the changes between two numbers of runs."""
    candidates = range(first + FEWEST, end - FEWEST + 1)
    if not candidates:
        return
    shown = [place for place in candidates if _chance(values[first:place], values[place:end]) <= level]
    if shown:
        clearest = min(shown, key=lambda place: _spread(values[first:place]) + _spread(values[place:end]))
        yield clearest
        yield from _divide(values, first, clearest, level)
        yield from _divide(values, clearest, end, level)


def _chance(before: np.ndarray, after: np.ndarray) -> float:
    """Return the p-value of the rank-sum test, two-sided; equal values speak against a change."""
    differences = after[:, None] - before
    statistic = int(min((differences <= 0).sum(), (differences >= 0).sum()))
    shares = _shares(len(before), len(after))
    if shares is not None:
        return min(1.0, 2 * float(shares[statistic]))
    from scipy.stats import norm

    return min(1.0, 2 * float(norm.cdf((statistic + 0.5 - len(before) * len(after) / 2) / _deviation(before, after))))


def _spread(values: np.ndarray) -> float:
    """Return the sum of the distances from the median."""
    return float(np.abs(values - np.median(values)).sum())


def _change(values: np.ndarray, first: int, place: int, end: int, level: float) -> ChangePoint:
    """Return the shift of Hodges and Lehmann between two parts, and its interval."""
    before, after = values[first:place], values[place:end]
    differences = np.sort((after[:, None] - before).ravel())
    rank = _rejected_ranks(before, after, level)
    low, middle, high = np.exp([differences[rank], np.median(differences), differences[-1 - rank]])
    return ChangePoint(place, float(middle), float(low), float(high))


def _rejected_ranks(before: np.ndarray, after: np.ndarray, level: float) -> int:
    """Return how many of the smallest, and of the largest, differences the interval leaves out."""
    shares = _shares(len(before), len(after))
    if shares is not None:
        return int(np.searchsorted(shares, level / 2, side="right"))
    from scipy.stats import norm

    return max(0, int(len(before) * len(after) / 2 + norm.ppf(level / 2) * _deviation(before, after)))


def _deviation(before: np.ndarray, after: np.ndarray) -> float:
    return float(np.sqrt(len(before) * len(after) * (len(before) + len(after) + 1) / 12))


@functools.cache
def _shares(before: int, after: int) -> np.ndarray | None:
    """Return the probability of at most each value of the rank-sum statistic; None where it is close to normal."""
    pairs = before * after
    if pairs > _EXACT_PAIRS:
        return None
    counts = np.zeros((before + 1, pairs + 1))  # the arrangements with each value, by the runs before
    counts[0, 0] = 1
    for run in range(1, before + after + 1):
        for chosen in range(min(run, before), 0, -1):
            jump = run - chosen  # the runs after, among the earlier ranks
            if jump <= after:
                counts[chosen, jump:] += counts[chosen - 1, : pairs + 1 - jump]
    shares: np.ndarray = np.cumsum(counts[before]) / counts[before].sum()
    return shares
