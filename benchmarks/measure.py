"""How a time is measured.

Cells (a recipe on a backend, say) are measured *interleaved*: every round measures each once, in random order, so
that a machine that drifts or is disturbed hurts all alike. Rounds are added until the interval of every ratio is
narrow enough or the time is up. What is said of the samples is in `statistics.py`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import numpy as np

from ..errors import WorkerError
from .statistics import LEAST_ROUNDS, Summary, ratio

Cell = TypeVar("Cell", bound=Hashable)

# With more, the machine's moods are measured and not the cells.
_MOST_ROUNDS = 1_000
# How many more rounds before the intervals are looked at again: each look takes time, and is one more chance to stop
# on an interval that is narrow by luck.
_LOOK_AGAIN = 1.2


@dataclass
class Rounds(Generic[Cell]):
    """Interleaved samples.

    Attributes:
        samples: one value a round for each cell that went through all of them.
        stopped_by: `precision`, `budget` or `rounds`, whichever came first; `interrupted` until then.
        failed: why the other cells did not.
    """

    samples: dict[Cell, list[float]]
    stopped_by: str = "interrupted"
    failed: dict[Cell, str] = field(default_factory=dict)

    @property
    def count(self) -> int:
        return min((len(values) for values in self.samples.values()), default=0)

    def measure(self, cells: Mapping[Cell, Callable[[], float]], order: Sequence[int]) -> None:
        """One more sample of each cell that is left; one whose worker dies is left out from here on."""
        names = list(cells)
        for cell in (names[index] for index in order):
            if cell in self.failed:
                continue
            try:
                self.samples[cell].append(cells[cell]())
            except WorkerError as error:
                self.failed[cell] = str(error)
                del self.samples[cell]

    def precision(self, pairs: Sequence[tuple[Cell, Cell]]) -> float:
        """The half-width of the widest interval; infinite when nothing is compared."""
        left = [pair for pair in pairs if not self.failed.keys() & set(pair)]
        found = [ratio(self.samples[of], self.samples[over]).precision for of, over in left]
        return max(found, default=float("inf"))


def interleave(
    cells: Mapping[Cell, Callable[[], float]],
    ratios: Sequence[tuple[Cell, Cell]],
    *,
    budget: float,
    precision: float,
    seed: int = 0,
    least: int = LEAST_ROUNDS,
    after_round: Callable[[Rounds[Cell], float], None] | None = None,
    clock: Callable[[], float] = time.perf_counter,
) -> Rounds[Cell]:
    """Measure every cell once a round until the ratios are precise or the time is up.

    Args:
        cells: what measures each cell once, returning its value; a `WorkerError` loses that cell, no other.
        ratios: the pairs (of, over) whose intervals decide when to stop.
        budget: seconds after which no new round begins; `least` rounds are run all the same.
        precision: stop when every ratio's interval reaches no further than this share either way.
        least: rounds; fewer than an interval needs only where none is asked for.
        after_round: called with the rounds so far and the share of the work done, 0 to 1.
        clock: what the budget is counted by, in seconds.
    """
    order = np.random.default_rng(seed)
    rounds = Rounds[Cell]({cell: [] for cell in cells})
    began, look = clock(), least
    while rounds.samples:
        rounds.measure(cells, order.permutation(len(cells)).tolist())
        spent = clock() - began
        if after_round:
            after_round(rounds, min(1.0, max(spent / budget, 0.0), rounds.count / least))
        if rounds.count < least:
            continue
        if rounds.count >= look or spent >= budget:
            look = int(rounds.count * _LOOK_AGAIN) + 1
            if rounds.precision(ratios) <= precision:
                rounds.stopped_by = "precision"
                break
        if spent >= budget:
            rounds.stopped_by = "budget"
            break
        if rounds.count >= _MOST_ROUNDS:
            rounds.stopped_by = "rounds"
            break
    return rounds


def row(
    suite: str, where: Mapping[str, Any], metric: str, unit: str, samples: Sequence[float], **at: Any
) -> dict[str, Any]:
    """One measurement as a flat row; the schema is the same for all suites.

    Args:
        where: `recipe`, `backend`, `device`, `runner`.
        at: what is varied: further columns.
    """
    found = Summary.of(samples)
    return {"suite": suite, **where, "metric": metric, "unit": unit, **vars(found), **at}
