"""How a time is measured.

Cells (a recipe on a backend, say) are measured *interleaved*: every round measures each cell once, in random order,
so that a drift or a disturbance of the machine affects all cells alike. Rounds are added until the interval of every
ratio is narrow enough or the time is up. `statistics.py` evaluates the samples.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import numpy as np

from ..errors import WorkerError
from .statistics import MIN_ROUNDS, Summary, ratio

Key = TypeVar("Key", bound=Hashable)

# More rounds would measure the drift of the machine, not the cells.
_MAX_ROUNDS = 1_000
# Look at the intervals again after this factor of rounds: each look takes time, and is one more chance to stop on an
# interval that is narrow by luck.
_LOOK_INTERVAL = 1.2


@dataclass
class InterleavedRounds(Generic[Key]):
    """Interleaved samples.

    Attributes:
        samples: one value per round for each cell that did not fail.
        stopped_by: `precision`, `budget` or `rounds`; `interrupted` while the rounds run.
        failed: the reason for each cell that failed.
    """

    samples: dict[Key, list[float]]
    stopped_by: str = "interrupted"
    failed: dict[Key, str] = field(default_factory=dict)

    @property
    def count(self) -> int:
        return min((len(values) for values in self.samples.values()), default=0)

    def measure(self, cells: Mapping[Key, Callable[[], float]], order: Sequence[int]) -> None:
        """Take one more sample of each remaining cell; a cell whose worker dies is dropped."""
        names = list(cells)
        for cell in (names[index] for index in order):
            if cell in self.failed:
                continue
            try:
                self.samples[cell].append(cells[cell]())
            except WorkerError as error:
                self.failed[cell] = str(error)
                del self.samples[cell]

    def precision(self, pairs: Sequence[tuple[Key, Key]]) -> float:
        """Return the relative half-width of the widest interval; infinite when nothing is compared."""
        left = [pair for pair in pairs if not self.failed.keys() & set(pair)]
        widths = [ratio(self.samples[of], self.samples[over]).precision for of, over in left]
        return max(widths, default=float("inf"))


def interleave(
    cells: Mapping[Key, Callable[[], float]],
    ratios: Sequence[tuple[Key, Key]],
    *,
    budget: float,
    precision: float,
    seed: int = 0,
    min_rounds: int = MIN_ROUNDS,
    after_round: Callable[[InterleavedRounds[Key], float], None] | None = None,
    clock: Callable[[], float] = time.perf_counter,
) -> InterleavedRounds[Key]:
    """Measure every cell once a round until the ratios are precise or the time is up.

    Args:
        cells: for each cell the function that measures it once; if it raises `WorkerError`, that cell alone is lost.
        ratios: the pairs (of, over) whose intervals decide when to stop.
        budget: seconds after which no new round begins; `min_rounds` rounds are run in any case.
        precision: stop when the half-width of every ratio's interval is at most this share of the ratio.
        min_rounds: the least number of rounds; fewer than `MIN_ROUNDS` only where no interval is needed.
        after_round: called with the rounds so far and the share of the work done, 0 to 1.
        clock: returns seconds; the budget is counted by it.
    """
    order = np.random.default_rng(seed)
    rounds = InterleavedRounds[Key]({cell: [] for cell in cells})
    began, look = clock(), min_rounds
    while rounds.samples:
        rounds.measure(cells, order.permutation(len(cells)).tolist())
        spent = clock() - began
        if after_round:
            after_round(rounds, min(1.0, max(spent / budget if budget else 1.0, 0.0), rounds.count / min_rounds))
        if rounds.count < min_rounds:
            continue
        if rounds.count >= look or spent >= budget:
            look = int(rounds.count * _LOOK_INTERVAL) + 1
            if rounds.precision(ratios) <= precision:
                rounds.stopped_by = "precision"
                break
        if spent >= budget:
            rounds.stopped_by = "budget"
            break
        if rounds.count >= _MAX_ROUNDS:
            rounds.stopped_by = "rounds"
            break
    return rounds


def make_row(
    suite: str, where: Mapping[str, Any], metric: str, unit: str, samples: Sequence[float], **point: Any
) -> dict[str, Any]:
    """Return one measurement as a flat row; the schema is the same for all suites.

    Args:
        where: `recipe`, `backend`, `device`, `runner`.
        point: the sweep point, as further columns.
    """
    summary = Summary.of(samples)
    return {"suite": suite, **where, "metric": metric, "unit": unit, **vars(summary), **point}
