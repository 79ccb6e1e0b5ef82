"""The candidates of a search and the order in which they are scored: a full or random grid, with or without halving."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...errors import DataError
from ...models.recipe import recipe_of
from .estimators import Estimator
from .scoring import Fit

# Successive halving: each round keeps one candidate in three and trains it for three times as many epochs.
_HALVING_FACTOR = 3

Folds = list[tuple[np.ndarray, np.ndarray]]


@dataclass(frozen=True)
class Candidate:
    """One combination of parameters.

    Attributes:
        params: parameter values by name.
        epochs: the number of epochs it was trained for; fewer than the others' if halving dropped it early.
        scores: one per fold: accuracy, or R².
        round: how often the search had zoomed in when it tried this candidate; 0 for the first grid.
    """

    params: dict[str, Any]
    epochs: int
    scores: tuple[float, ...]
    round: int = 0

    @property
    def mean(self) -> float:
        return float(np.mean(self.scores))

    @property
    def deviation(self) -> float:
        """Return the standard deviation over the folds (population, as in `GridSearchCV`)."""
        return float(np.std(self.scores))


class SearchRounds:
    """The rounds of a search. Collects the scored candidates; none is scored twice."""

    def __init__(self, estimator: Estimator, folds: Folds, score: Callable[[list[Fit]], list[float]], halving: bool):
        self._estimator = estimator
        self._folds = folds
        self._score = score
        self._halving = halving
        self._candidates: dict[str, Candidate] = {}

    @property
    def ranked(self) -> list[Candidate]:
        """Return the candidates, the best first. With halving, those trained for more epochs come first."""
        return sorted(
            self._candidates.values(),
            key=lambda candidate: (-candidate.epochs if self._halving else 0, -_nan_last(candidate.mean)),
        )

    def run(self, param_sets: list[dict[str, Any]], number: int) -> None:
        """Score the parameter sets that have no score yet, as round `number`."""
        remaining = [params for params in param_sets if repr(params) not in self._candidates]
        for epoch_fraction, limit in rungs(len(remaining)) if self._halving else [(1.0, len(remaining))]:
            remaining = remaining[:limit]
            for candidate in self._score_candidates(remaining, epoch_fraction, number):
                self._candidates[repr(candidate.params)] = candidate
            remaining.sort(key=lambda params: -_nan_last(self._candidates[repr(params)].mean))

    def _score_candidates(
        self, param_sets: list[dict[str, Any]], epoch_fraction: float, number: int
    ) -> Iterator[Candidate]:
        epochs = [max(1, round(epoch_fraction * self._epochs(params))) for params in param_sets]
        fits = [
            Fit({**params, "epochs": count}, train, test)
            for params, count in zip(param_sets, epochs, strict=True)
            for train, test in self._folds
        ]
        scores = np.reshape(self._score(fits), (len(param_sets), len(self._folds)))
        for params, count, row in zip(param_sets, epochs, scores, strict=True):
            yield Candidate(params, count, tuple(map(float, row)), number)

    def _epochs(self, params: Mapping[str, Any]) -> int:
        epochs = params.get("epochs", self._estimator.epochs)
        return int(epochs or recipe_of(params.get("recipe", self._estimator.recipe)).epochs)


def rungs(candidates: int) -> list[tuple[float, int]]:
    """Return the rungs of successive halving: the fraction of the epochs, and the number of candidates, of each."""
    count = 1 + int(math.log(max(1, candidates), _HALVING_FACTOR) + 1e-9)
    return [
        (_HALVING_FACTOR ** (rung + 1 - count), max(1, math.ceil(candidates / _HALVING_FACTOR**rung)))
        for rung in range(count)
    ]


def combinations(grid: Mapping[str, Sequence[Any]], random: int | None, seed: int) -> list[dict[str, Any]]:
    """Return every combination of the values, or `random` of them, drawn without repetition."""
    from sklearn.model_selection import ParameterGrid, ParameterSampler

    every = list(ParameterGrid(grid))
    return every if random is None or random >= len(every) else list(ParameterSampler(grid, random, random_state=seed))


def make_folds(y: np.ndarray, folds: int, classifies: bool, seed: int) -> Folds:
    """Return the training and test indices of each fold, shuffled. Folds of classes are stratified.

    Raises:
        DataError: there are too few samples, or too few of a class.
    """
    from sklearn.model_selection import KFold, StratifiedKFold

    splitter = (StratifiedKFold if classifies else KFold)(folds, shuffle=True, random_state=seed)
    try:
        return list(splitter.split(np.zeros(len(y)), y))
    except ValueError as error:
        raise DataError(f"{folds} folds cannot be made: {error}") from error


def _nan_last(score: float) -> float:
    return -math.inf if math.isnan(score) else score
