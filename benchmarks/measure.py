"""How a time is measured, and what is said of it.

Cells (a recipe on a backend, say) are measured *interleaved*: every round measures each once, in random order, so
that a machine that drifts or is disturbed hurts all alike. A ratio is taken between cells of the same rounds, with an
interval from resampling the rounds; rounds are added until every interval is narrow enough or the time is up.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import numpy as np

Cell = TypeVar("Cell")

_RESAMPLES = 2_000
_LEAST_ROUNDS = 5
_CONFIDENCE = 0.95


@dataclass(frozen=True)
class Summary:
    """Some samples of one quantity: how many, their median and quartiles."""

    n: int
    median: float
    q1: float
    q3: float

    @classmethod
    def of(cls, samples: Sequence[float]) -> Summary:
        q1, median, q3 = np.quantile(samples, [0.25, 0.5, 0.75])
        return cls(len(samples), float(median), float(q1), float(q3))


@dataclass(frozen=True)
class Ratio:
    """One median over another, with its 95 % interval."""

    ratio: float
    low: float
    high: float

    @property
    def differs(self) -> bool:
        """Whether the interval excludes 1; otherwise no difference was found."""
        return not self.low <= 1.0 <= self.high

    @property
    def precision(self) -> float:
        """Half the interval's width as a share of the ratio."""
        return (self.high - self.low) / 2 / self.ratio


def ratio(of: Sequence[float], over: Sequence[float], *, seed: int = 0) -> Ratio:
    """The ratio of two medians that were measured in the same rounds.

    The interval is the percentile bootstrap (Efron, 1979) over rounds: whole rounds are drawn with replacement, so
    that what disturbed both cells of a round cancels.

    Args:
        of, over: one sample a round, in the order of the rounds.

    Raises:
        ValueError: the two have different numbers of rounds, or none.
    """
    numerator, denominator = np.asarray(of, "float64"), np.asarray(over, "float64")
    if len(numerator) != len(denominator) or not len(numerator):
        raise ValueError(f"expected as many rounds of both, received {len(numerator)} and {len(denominator)}")
    rounds = len(numerator)
    drawn = np.random.default_rng(seed).integers(0, rounds, (_RESAMPLES, rounds))
    resampled = np.median(numerator[drawn], axis=1) / np.median(denominator[drawn], axis=1)
    low, high = np.quantile(resampled, [(1 - _CONFIDENCE) / 2, (1 + _CONFIDENCE) / 2])
    return Ratio(float(np.median(numerator) / np.median(denominator)), float(low), float(high))


@dataclass
class Rounds(Generic[Cell]):
    """Interleaved samples.

    Attributes:
        samples: one value a round for each cell.
        stopped_by: `precision` or `budget`, whichever came first.
    """

    samples: dict[Cell, list[float]]
    stopped_by: str = "budget"

    @property
    def count(self) -> int:
        return len(next(iter(self.samples.values())))


def interleave(
    cells: Mapping[Cell, Callable[[], float]],
    ratios: Sequence[tuple[Cell, Cell]],
    *,
    budget: float,
    precision: float,
    seed: int = 0,
    after_round: Callable[[int, float], None] | None = None,
) -> Rounds[Cell]:
    """Measure every cell once a round until the ratios are precise or the time is up.

    Args:
        cells: what measures each cell once, returning its value.
        ratios: the pairs (of, over) whose intervals decide when to stop.
        budget: seconds after which no new round begins; five rounds are run all the same.
        precision: stop when every ratio's interval reaches no further than this share either way.
        after_round: called with the number of rounds so far and the share of the work done, 0 to 1.
    """
    order = np.random.default_rng(seed)
    rounds = Rounds[Cell]({cell: [] for cell in cells})
    began = time.perf_counter()
    while True:
        for index in order.permutation(len(cells)):
            cell = list(cells)[index]
            rounds.samples[cell].append(cells[cell]())
        spent = time.perf_counter() - began
        if after_round:
            after_round(rounds.count, min(1.0, max(spent / budget, 0.0), rounds.count / _LEAST_ROUNDS))
        if rounds.count < _LEAST_ROUNDS:
            continue
        found = [ratio(rounds.samples[of], rounds.samples[over]) for of, over in ratios]
        if found and all(each.precision <= precision for each in found):
            rounds.stopped_by = "precision"
            return rounds
        if spent >= budget:
            return rounds


def row(suite: str, where: Mapping[str, Any], metric: str, unit: str, samples: Sequence[float]) -> dict[str, Any]:
    """One measurement as a flat row; the schema is the same for all suites.

    Args:
        where: `recipe`, `backend`, `device`, `runner`.
    """
    found = Summary.of(samples)
    return {
        "suite": suite,
        **where,
        "metric": metric,
        "unit": unit,
        "n": found.n,
        "median": found.median,
        "q1": found.q1,
        "q3": found.q3,
    }
