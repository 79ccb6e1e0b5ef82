"""The candidates of a search and the order in which they are scored: a full or random grid, with or without halving."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ...errors import DataError
from ..bundles.named_recipe import recipe_of
from .estimators import Estimator
from .scoring import Fit, FitScores, ScoreCallback

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
        training_scores: those on the training samples of each fold, where they were asked for.
    """

    params: dict[str, Any]
    epochs: int
    scores: tuple[float, ...]
    round: int = 0
    training_scores: tuple[float, ...] = ()

    @property
    def mean(self) -> float:
        return float(np.mean(self.scores))

    @property
    def deviation(self) -> float:
        """Return the standard deviation over the folds (population, as in `GridSearchCV`)."""
        return float(np.std(self.scores))


# Scores fits: it calls the second argument with the place of each and its score, as soon as that is known.
Score = Callable[[list[Fit], ScoreCallback], Any]


class SearchRounds:
    """The rounds of a search. Collects the scored candidates; none is scored twice.

    Args:
        estimator: has the parameters that all candidates share.
        folds: the training and test indices of each fold.
        score: scores fits.
        halving: whether all candidates begin with a few epochs, and the best third goes on.
        known: candidates that an earlier search has scored.
        scores_training: whether candidates are scored on their training samples too.

    Attributes:
        after_each: called after each candidate that is scored.
        planned: the number of candidates of all rounds so far, scored or not.
    """

    def __init__(
        self,
        estimator: Estimator,
        folds: Folds,
        score: Score,
        halving: bool,
        known: Sequence[Candidate] = (),
        scores_training: bool = False,
    ):
        self.after_each: Callable[[], None] = lambda: None
        self._estimator = estimator
        self._folds = folds
        self._score = score
        self._halving = halving
        self._scores_training = scores_training
        self._known = {_key(candidate.params): candidate for candidate in known}
        self._candidates: dict[str, Candidate] = {}
        self._places: dict[str, int] = {}

    @property
    def planned(self) -> int:
        return len(self._places)

    @property
    def ranked(self) -> list[Candidate]:
        """Return the candidates, the best first. With halving, those trained for more epochs come first."""
        return sorted(
            self._candidates.copy().values(),  # to which a thread may be adding
            key=lambda candidate: (
                -candidate.epochs if self._halving else 0,
                -_nan_last(candidate.mean),
                self._places[_key(candidate.params)],
            ),
        )

    def run(self, param_sets: list[dict[str, Any]], number: int) -> None:
        """Score the parameter sets that have no score yet, as round `number`.

        What ends the scoring early is raised; `ranked` then has the candidates with a score of each fold.
        """
        remaining = [params for params in param_sets if _key(params) not in self._candidates]
        for params in remaining:
            self._places[_key(params)] = len(self._places)
            if known := self._known.get(_key(params)):
                self._candidates[_key(params)] = replace(known, params=params, round=number)
        remaining = [params for params in remaining if _key(params) not in self._candidates]
        for epoch_fraction, limit in rungs(len(remaining)) if self._halving else [(1.0, len(remaining))]:
            remaining = remaining[:limit]
            self._score_candidates(remaining, epoch_fraction, number)
            remaining.sort(key=lambda params: -_nan_last(self._candidates[_key(params)].mean))

    def _score_candidates(self, param_sets: list[dict[str, Any]], epoch_fraction: float, number: int) -> None:
        epochs = [max(1, round(epoch_fraction * self._epochs(params))) for params in param_sets]
        fits = [
            Fit({**params, "epochs": count}, train, test, self._scores_training)
            for params, count in zip(param_sets, epochs, strict=True)
            for train, test in self._folds
        ]
        scores: list[dict[int, FitScores]] = [{} for _ in param_sets]

        def note(fit: int, fit_scores: FitScores) -> None:
            place, fold = divmod(fit, len(self._folds))
            scores[place][fold] = fit_scores
            if len(scores[place]) == len(self._folds):
                in_order = [scores[place][each] for each in range(len(self._folds))]
                tested, *trained = (tuple(map(float, each)) for each in zip(*in_order, strict=True))
                candidate = Candidate(param_sets[place], epochs[place], tested, number, *trained)
                self._candidates[_key(candidate.params)] = candidate
                self.after_each()

        self._score(fits, note)

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


def _key(params: Mapping[str, Any]) -> str:
    """Return what is the same for parameters of the same values, also after they were JSON."""
    return json.dumps(params, sort_keys=True, default=repr)


def _nan_last(score: float) -> float:
    return -math.inf if math.isnan(score) else score
