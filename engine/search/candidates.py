"""What a search tries, and in which order: all combinations or some, all to the end or the worst given up early."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...errors import DataError
from .estimators import Estimator
from .recipe_from_arrays import recipe_of
from .scoring import Fit

# Of the candidates, and of the epochs, one in so many goes on to the next round, and to the one before it.
_HALVING = 3

Folds = list[tuple[np.ndarray, np.ndarray]]


@dataclass(frozen=True)
class Candidate:
    """One combination of parameters.

    Attributes:
        params: by name.
        epochs: it was trained for, which is less than the others where it was given up early.
        scores: one a fold; accuracy, or R².
        round: 0, or how often the search had zoomed in when it was tried.
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
        """The standard deviation between folds, as `GridSearchCV` has it."""
        return float(np.std(self.scores))


class Rounds:
    """Candidates that were scored so far, none twice."""

    def __init__(self, estimator: Estimator, splits: Folds, score: Callable[[list[Fit]], list[float]], halving: bool):
        self._estimator = estimator
        self._splits = splits
        self._score = score
        self._halving = halving
        self._found: dict[str, Candidate] = {}

    @property
    def ranked(self) -> list[Candidate]:
        """The best first; those that were trained for longest before those that were given up."""
        return sorted(self._found.values(), key=lambda each: (-each.epochs if self._halving else 0, -_rank(each.mean)))

    def run(self, tried: list[dict[str, Any]], number: int) -> None:
        """Score those that were not scored yet."""
        left = [params for params in tried if repr(params) not in self._found]
        for share, most in rungs(len(left)) if self._halving else [(1.0, len(left))]:
            left = left[:most]
            for candidate in self._scored(left, share, number):
                self._found[repr(candidate.params)] = candidate
            left.sort(key=lambda params: -_rank(self._found[repr(params)].mean))

    def _scored(self, tried: list[dict[str, Any]], share: float, number: int) -> Iterator[Candidate]:
        epochs = [max(1, round(share * self._epochs(params))) for params in tried]
        fits = [
            Fit({**params, "epochs": count}, train, test)
            for params, count in zip(tried, epochs, strict=True)
            for train, test in self._splits
        ]
        scores = np.reshape(self._score(fits), (len(tried), len(self._splits)))
        for params, count, row in zip(tried, epochs, scores, strict=True):
            yield Candidate(params, count, tuple(map(float, row)), number)

    def _epochs(self, params: Mapping[str, Any]) -> int:
        asked = params.get("epochs", self._estimator.epochs)
        return int(asked or recipe_of(params.get("recipe", self._estimator.recipe)).epochs)


def rungs(candidates: int) -> list[tuple[float, int]]:
    """Of each round of halving, the share of the epochs and how many candidates take part."""
    count = 1 + int(math.log(max(1, candidates), _HALVING) + 1e-9)
    return [(_HALVING ** (rung + 1 - count), max(1, math.ceil(candidates / _HALVING**rung))) for rung in range(count)]


def combinations(grid: Mapping[str, Sequence[Any]], random: int | None, seed: int) -> list[dict[str, Any]]:
    """Every combination of the values, or so many of them, drawn by the seed, none twice."""
    from sklearn.model_selection import ParameterGrid, ParameterSampler

    every = list(ParameterGrid(grid))
    return every if random is None or random >= len(every) else list(ParameterSampler(grid, random, random_state=seed))


def splits(y: np.ndarray, folds: int, classifies: bool, seed: int) -> Folds:
    """Training and test samples of each fold, shuffled; classes are in the same proportions in all.

    Raises:
        DataError: there are too few samples, or too few of a class.
    """
    from sklearn.model_selection import KFold, StratifiedKFold

    splitter = (StratifiedKFold if classifies else KFold)(folds, shuffle=True, random_state=seed)
    try:
        return list(splitter.split(np.zeros(len(y)), y))
    except ValueError as error:
        raise DataError(f"{folds} folds cannot be made: {error}") from error


def _rank(score: float) -> float:
    return -math.inf if math.isnan(score) else score
