"""The statistics of samples: a median with quartiles, and a ratio with a reliable interval.

Two workloads are compared by their times *in the same round*, never by their medians: a disturbance of a round affects
both. The order within a round is random, so the log-ratios of two equal workloads are symmetric about zero. Wilcoxon's
signed-rank test assumes nothing else. The interval is its inversion, and holds its level for few rounds as for many,
whatever the distribution of the noise.

Rounds end when an interval is narrow. So it is examined several times, and each look is one more chance of an error.
Ten looks at a level of 1.06 % each are wrong in 5 % of all measurements (Pocock, 1977, *Biometrika* 64, table 1). Every
interval is taken at that level, so the 95 % hold for the measurement as a whole.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

# The level of one look, for 5 % over ten looks.
_LEVEL = 0.0106
# Fewer rounds cannot give such an interval: 7 rounds have 2**7 patterns of signs, and 2 / 128 is more than 1.06 %.
MIN_ROUNDS = 8
# Above this number of rounds the rank sum is close to a normal distribution.
_EXACT_ROUNDS = 50


def excludes_one(low: float, high: float) -> bool:
    """Return whether the interval of a ratio excludes 1, that is, shows a difference."""
    return not low <= 1.0 <= high


@dataclass(frozen=True)
class Summary:
    """The number of samples of a quantity, their median and quartiles."""

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
    """The time of one workload relative to another, with its 95 % interval."""

    ratio: float
    low: float
    high: float

    @property
    def differs(self) -> bool:
        """Whether the interval excludes 1; otherwise no difference is shown."""
        return excludes_one(self.low, self.high)

    @property
    def precision(self) -> float:
        """The half-width of the interval as a share of the ratio."""
        return (self.high - self.low) / 2 / self.ratio


def ratio(of: Sequence[float], over: Sequence[float]) -> Ratio:
    """Return the ratio of `of` to `over`, measured in the same rounds.

    The estimate is the median of the pairwise means of the log-ratios (Hodges and Lehmann, 1963). The ends of the
    interval are the values that Wilcoxon's signed-rank test just does not reject (Hollander, Wolfe and Chicken,
    *Nonparametric Statistical Methods*, 3rd edition, section 3.3).

    Args:
        of, over: one positive sample per round, in the order of the rounds. With fewer than `MIN_ROUNDS` rounds the
            interval is the widest possible one, and its level is below 95 %.

    Raises:
        ValueError: the numbers of rounds differ, or are 0.
    """
    numerator, denominator = np.asarray(of, "float64"), np.asarray(over, "float64")
    if len(numerator) != len(denominator) or not len(numerator):
        raise ValueError(f"expected as many rounds of both, received {len(numerator)} and {len(denominator)}")
    logarithms = np.log(numerator / denominator)
    first, second = np.triu_indices(len(logarithms))
    means = np.sort((logarithms[first] + logarithms[second]) / 2)
    rank = _rejected_ranks(len(logarithms))
    low, middle, high = np.exp([means[rank], np.median(means), means[-1 - rank]])
    return Ratio(float(middle), float(low), float(high))


@functools.cache
def _rejected_ranks(rounds: int) -> int:
    """Return how many of the smallest, and of the largest, pairwise means the interval leaves out.

    It is the largest value that the signed-rank statistic falls below with a probability of at most half the level.
    """
    tail = _LEVEL / 2
    most = rounds * (rounds + 1) // 2
    if rounds > _EXACT_ROUNDS:
        from scipy.stats import norm

        spread = np.sqrt(most * (2 * rounds + 1) / 12)
        return int(most / 2 + norm.ppf(tail) * spread)
    patterns = np.zeros(most + 1)  # the number of sign patterns with each rank sum
    patterns[0] = 1
    for rank in range(1, rounds + 1):
        patterns[rank:] += patterns[:-rank].copy()
    return max(0, int(np.searchsorted(np.cumsum(patterns) / 2.0**rounds, tail, side="right")) - 1)
