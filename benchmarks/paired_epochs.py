"""Two ways to train the same, timed by turns."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .statistics import ratio


@dataclass(frozen=True)
class TimedEpochs:
    """The epochs of a short training.

    Attributes:
        plan: how they were run.
        seconds: of each epoch; the first compiles.
    """

    plan: str
    seconds: Sequence[float]

    @property
    def steady(self) -> float:
        """The median seconds of an epoch, without the first."""
        return statistics.median(self.seconds[1:])


# Trains a few epochs.
Train = Callable[[], TimedEpochs]


def time_epochs(train_epoch: Callable[[], Any], count: int) -> list[float]:
    """Train this many epochs; return the seconds of each."""
    seconds = []
    for _ in range(count):
        began = time.perf_counter()
        train_epoch()
        seconds.append(time.perf_counter() - began)
    return seconds


def compare(pairs: Mapping[str, tuple[Train, Train]], rounds: int) -> list[dict[str, Any]]:
    """Return for each pair the median seconds of an epoch, and the ratio of the first to the second with its interval.

    Args:
        pairs: by name.
        rounds: how often each of a pair is trained, by turns.
    """
    rows = []
    for name, pair in pairs.items():
        samples: tuple[list[float], list[float]] = [], []
        plans = ["", ""]
        for number in range(rounds):
            for place in (0, 1) if number % 2 else (1, 0):
                timed = pair[place]()
                samples[place].append(timed.steady)
                plans[place] = timed.plan
        result = ratio(*samples)
        rows.append(
            {
                "run": name,
                "plans": plans,
                "seconds": [statistics.median(each) for each in samples],
                "ratio": result.ratio,
                "interval": [result.low, result.high],
            }
        )
    return rows
