"""Choose the next combination by what the scores so far tell: Optuna's tree-structured Parzen estimator.

J. Bergstra et al., Algorithms for Hyper-Parameter Optimization, 2011.
"""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

from ...errors import OptionError

_MOST_REPEATS = 20  # of combinations that have their score, before an untried one is taken in their order


class TreeParzen:
    """Asks for combinations of a grid, one after the other; none twice.

    Numbers in ascending order are taken as such, so that a good one speaks for its neighbours; other values are not.

    Args:
        grid: the values of each parameter.
        seed: the same seed and scores give the same combinations.

    Raises:
        OptionError: Optuna is not installed.
    """

    def __init__(self, grid: Mapping[str, Sequence[Any]], seed: int):
        try:
            import optuna
        except ImportError:
            raise OptionError("`sampler` tpe needs Optuna: pip install 'trivium[optuna]'") from None
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self._failed = optuna.trial.TrialState.FAIL
        self._grid = {name: list(values) for name, values in grid.items()}
        self._study = optuna.create_study(direction="maximize", sampler=optuna.samplers.TPESampler(seed=seed))
        self._scores: dict[str, float] = {}  # of each combination that was told, by the places of its values

    @property
    def is_exhausted(self) -> bool:
        """Whether every combination of the grid has its score."""
        return len(self._scores) >= math.prod(len(values) for values in self._grid.values())

    def ask(self) -> dict[str, Any]:
        """Return a combination that has no score yet; `tell` must follow. There must be one: see `is_exhausted`."""
        repeats = 0
        while True:
            self._trial = self._study.ask()
            places = {name: self._place(name, values) for name, values in self._grid.items()}
            if (key := json.dumps(places)) not in self._scores:
                self._key = key
                return {name: self._grid[name][place] for name, place in places.items()}
            self._finish(self._scores[key])  # known already: told once more, so that the sampler looks elsewhere
            repeats += 1
            if repeats > _MOST_REPEATS:
                self._study.enqueue_trial(self._untried())

    def tell(self, score: float) -> None:
        """Tell the score of the combination that was asked for last; one that is not finite counts as a failure."""
        self._scores[self._key] = score
        self._finish(score)

    def _finish(self, score: float) -> None:
        if math.isfinite(score):
            self._study.tell(self._trial, score)
        else:
            self._study.tell(self._trial, state=self._failed)

    def _untried(self) -> dict[str, int]:
        """Return the places of the first combination without a score."""
        every = itertools.product(*(range(len(values)) for values in self._grid.values()))
        combinations = (dict(zip(self._grid, places, strict=True)) for places in every)
        return next(places for places in combinations if json.dumps(places) not in self._scores)

    def _place(self, name: str, values: Sequence[Any]) -> int:
        if _ascend(values):
            return int(self._trial.suggest_int(name, 0, len(values) - 1))
        return int(self._trial.suggest_categorical(name, list(range(len(values)))))


def _ascend(values: Sequence[Any]) -> bool:
    """Return whether these are numbers, each larger than the one before."""
    numbers = all(isinstance(value, (int, float)) and not isinstance(value, bool) for value in values)
    return numbers and all(earlier < later for earlier, later in itertools.pairwise(values))
