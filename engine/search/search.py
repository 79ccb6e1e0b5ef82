"""Searching for the parameters that do best: every combination, or some of them, scored by cross-validation.

It finds what `GridSearchCV` would find, sooner: fits run in warm workers, one a core, and those that share an
architecture train together.
"""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ...backends.workers.executors import named
from ...backends.workers.worker import Listener
from ...errors import OptionError
from ...models.recipe import Recipe, find
from ..data.dataset import Dataset
from ..training.trainer import DEFAULT_SEED, dataset_for
from .candidates import Candidate, Rounds, combinations, splits
from .estimators import Classifier, Estimator
from .fits import KINDS
from .recipe_from_arrays import recipe_of
from .refine_grid import finer
from .scorer import Scorer
from .scoring import Fit


@dataclass(frozen=True)
class Search:
    """What a search found.

    Attributes:
        recipe: as it was given.
        kind: `classifier` or `regressor`.
        metric: what the scores are: `accuracy` or `r2`.
        folds: of the cross-validation.
        settings: the parameters that all candidates share.
        candidates: the best first.
        seconds: it took.
        fits: models that were trained.
    """

    recipe: Recipe | str
    kind: str
    metric: str
    folds: int
    settings: dict[str, Any]
    candidates: list[Candidate]
    seconds: float
    fits: int

    @property
    def best(self) -> Candidate:
        return self.candidates[0]

    @property
    def name(self) -> str:
        """The recipe's."""
        return recipe_of(self.recipe).name

    def estimator(self) -> Estimator:
        """A new one with the best parameters, to be fitted."""
        return KINDS[self.kind](self.recipe, **{**self.settings, **self.best.params, "epochs": self.best.epochs})

    def to_json(self) -> dict[str, Any]:
        """Everything, a row a candidate."""
        rows = [
            {
                "rank": rank,
                **dataclasses.asdict(each),
                "scores": [_finite(score) for score in each.scores],
                "mean": _finite(each.mean),
                "deviation": _finite(each.deviation),
            }
            for rank, each in enumerate(self.candidates, start=1)
        ]
        return {
            "schema": 1,
            "recipe": self.name,
            "kind": self.kind,
            "metric": self.metric,
            "folds": self.folds,
            "settings": self.settings,
            "fits": self.fits,
            "seconds": self.seconds,
            "rows": rows,
        }


def cross_val_score(
    estimator: Estimator,
    X: Any,  # noqa: N803 - scikit-learn's name
    y: Any,
    *,
    cv: Any = None,
    workers: int | None = None,
    executor: str = "local",
    address: str | None = None,
    listener: Listener | None = None,
) -> np.ndarray:
    """scikit-learn's function for a `Classifier` or a `Regressor`, sooner: the same scores, up to rounding.

    Args:
        estimator: not fitted by it.
        X, y: samples and labels or values.
        cv: what scikit-learn's takes: a number of folds, a splitter, or pairs of training and test indices.
        workers, executor, address: as `search` takes them.
        listener: called with progress events.

    Returns:
        (folds,) float64: accuracy, or R².

    Raises:
        TriviumError: parameters and samples do not go together.
    """
    from sklearn.model_selection import check_cv

    X, y = np.asarray(X), _labels(y)  # noqa: N806
    splits = list(check_cv(cv, y, classifier=isinstance(estimator, Classifier)).split(X, y))
    with Scorer(estimator, X, y, workers, listener, named(executor, address)) as scorer:
        return np.array(scorer([Fit({}, train, test) for train, test in splits]))


def search(
    recipe: Recipe | str,
    grid: Mapping[str, Sequence[Any]],
    data: Dataset | str | Path | tuple[Any, Any] | None = None,
    *,
    folds: int = 3,
    random: int | None = None,
    halving: bool = False,
    zoom: int = 0,
    seed: int = DEFAULT_SEED,
    workers: int | None = None,
    executor: str = "local",
    address: str | None = None,
    listener: Listener | None = None,
    **settings: Any,
) -> Search:
    """Score combinations of parameters by cross-validation.

    Args:
        recipe: a name, `path/to/file.py:function`, a `Recipe`, or a function that builds a model.
        grid: values to try, by parameter: options of the recipe and training options alike.
        data: a `Dataset`, a dataset's name, an `.npz` file, or a pair (x, y); without it the recipe's own. Its test
            split is left alone.
        folds: 2 or more; each has the classes in the same proportions.
        random: try so many combinations, drawn at random, instead of all.
        halving: begin with few epochs, and let a third of the candidates go on to three times as many.
        zoom: so often, search again around the best, with values closer to each other.
        seed: of the models, the folds and what is drawn. Equal for all candidates, so that these differ by what they
            are and not by luck.
        workers: processes; one a core by default, 0 for none beside this one. A recipe that has no name cannot leave
            this process.
        executor: `local` for workers on this machine, `ray` for workers on a Ray cluster, one a core of all its nodes.
        address: of that cluster, `HOST:PORT` or `auto` for the one that runs here; without one RAY_ADDRESS holds, or
            a cluster is started on this machine.
        listener: called with progress events.
        settings: parameters that all candidates share, such as `epochs`.

    Raises:
        TriviumError: something that the caller can mend; the message says what.

    Example:
        >>> found = trivium.search("dense/dropout", {"units": [20, 30, 40], "optimizer": ["adam", "adadelta"]})
        >>> found.best.params, found.best.mean
        ({'units': 40, 'optimizer': 'adam'}, 0.9342)
    """
    began = time.perf_counter()
    _check(grid, folds, random, zoom)
    x, y, classifies = _samples(recipe, data)
    kind = "classifier" if classifies else "regressor"
    shared = {"random_state": seed, **{_parameter(name): value for name, value in settings.items()}}
    estimator = KINDS[kind](recipe, **shared)
    grid = {_parameter(name): list(values) for name, values in grid.items()}
    _require_parameters(estimator, grid)
    with Scorer(estimator, x, y, workers, listener, named(executor, address)) as scorer:
        rounds = Rounds(estimator, splits(y, folds, classifies, seed), scorer, halving)
        rounds.run(combinations(grid, random, seed), 0)
        for number in range(1, zoom + 1):
            grid = finer(grid, rounds.ranked[0].params)
            rounds.run(combinations(grid, None, seed), number)
    metric = "accuracy" if classifies else "r2"
    seconds = time.perf_counter() - began
    return Search(recipe, kind, metric, folds, shared, rounds.ranked, seconds, scorer.fits)


def _finite(score: float) -> float | None:
    return score if math.isfinite(score) else None


def _samples(
    recipe: Recipe | str, data: Dataset | str | Path | tuple[Any, Any] | None
) -> tuple[np.ndarray, np.ndarray, bool]:
    """Samples, labels or values, and whether these are labels."""
    if isinstance(data, tuple):
        x, y = np.asarray(data[0]), _labels(data[1])
        return x, y, y.dtype.kind in "biuUS"
    dataset = dataset_for(recipe_of(recipe), data)
    return dataset.train.x, dataset.train.y, bool(dataset.labels)


def _labels(y: Any) -> np.ndarray:
    labels = np.asarray(y)
    return np.asarray(labels, str) if labels.dtype == object else labels


def _parameter(name: str) -> str:
    """The estimator's name for a training option."""
    return "random_state" if name == "seed" else name


def _require_parameters(estimator: Estimator, grid: Mapping[str, Sequence[Any]]) -> None:
    estimator.__sklearn_clone__().set_params(**{name: values[0] for name, values in grid.items()})
    if isinstance(estimator.recipe, str):
        find(estimator.recipe)


def _check(grid: Mapping[str, Sequence[Any]], folds: int, random: int | None, zoom: int) -> None:
    if not grid or not all(len(values) for values in grid.values()):
        raise OptionError("a search needs values to try: --grid units=20,30,40")
    for name, value, least in (("folds", folds, 2), ("random", random, 1), ("zoom", zoom, 0)):
        if value is not None and value < least:
            raise OptionError(f"{name} must be {least} or more, received {value}")
