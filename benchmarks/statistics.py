"""What is said of samples: a median with quartiles, and a ratio with an interval that can be believed.

Two things are compared by what they took *in the same round*, never by two medians: whatever disturbed a round
disturbed both. The order within a round is drawn, so of two workloads that are alike each is as often the slower, by
as much: the logarithms of their ratios lie symmetrically about zero. That is all that Wilcoxon's signed-rank test asks
for, and turned round it gives the interval used here, which promises what it says for few rounds as for many, whatever
the noise looks like.

Rounds end when an interval is narrow, so it is looked at several times, and each look is one more chance to be wrong.
With ten looks at a level of 1.06 % each one is wrong in 5 % of all measurements (Pocock, 1977, *Biometrika* 64, table
1): that is the level at which every interval is taken, and the 95 % hold for the measurement as a whole.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

# Of one look, so that it is 5 % of ten.
_LEVEL = 0.0106
# Fewer rounds cannot give such an interval: 7 have 2**7 patterns of signs, and 2 / 128 is more than 1.06 %.
LEAST_ROUNDS = 8
# Above this many the ranks' sum is as good as normally distributed.
_EXACT_ROUNDS = 50


def excludes_one(low: float, high: float) -> bool:
    """Whether an interval of a ratio says that there is a difference."""
    return not low <= 1.0 <= high


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
    """How many times as much one takes as another, with its 95 % interval."""

    ratio: float
    low: float
    high: float

    @property
    def differs(self) -> bool:
        """Whether the interval excludes 1; otherwise no difference was found."""
        return excludes_one(self.low, self.high)

    @property
    def precision(self) -> float:
        """Half the interval's width as a share of the ratio."""
        return (self.high - self.low) / 2 / self.ratio


def ratio(of: Sequence[float], over: Sequence[float]) -> Ratio:
    """How many times as much `of` takes as `over`, measured in the same rounds.

    The estimate is the median of all means of two rounds' log-ratios (Hodges and Lehmann, 1963), the interval the one
    whose ends Wilcoxon's signed-rank test would just not reject (Hollander, Wolfe and Chicken, *Nonparametric
    Statistical Methods*, 3rd edition, section 3.3).

    Args:
        of, over: one positive sample a round, in the order of the rounds. With fewer than `LEAST_ROUNDS` the interval
            is the widest there is, and promises less than 95 %.

    Raises:
        ValueError: the two have different numbers of rounds, or none.
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
    """How many of the smallest and of the largest means of pairs the interval leaves out.

    As many as the signed-rank statistic of so many rounds stays below with a probability of half the level or less.
    """
    tail = _LEVEL / 2
    most = rounds * (rounds + 1) // 2
    if rounds > _EXACT_ROUNDS:
        from scipy.stats import norm

        spread = np.sqrt(most * (2 * rounds + 1) / 12)
        return int(most / 2 + norm.ppf(tail) * spread)
    patterns = np.zeros(most + 1)  # how many patterns of signs give each sum of ranks
    patterns[0] = 1
    for rank in range(1, rounds + 1):
        patterns[rank:] += patterns[:-rank].copy()
    return max(0, int(np.searchsorted(np.cumsum(patterns) / 2.0**rounds, tail, side="right")) - 1)
