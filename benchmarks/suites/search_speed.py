"""How much faster is a search than one fit after another? Cross-validation and a grid search, against Keras' wrapper.

The baseline is the usual code: scikit-learn's `cross_val_score` and `GridSearchCV` over
`keras.wrappers.SKLearnClassifier`, in a process of its own with every core. Both sides get the same samples, folds,
initial weights, batch size and epochs. Import times are not counted: the workers of both sides are warm.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...backends import catalog
from ...backends.runtime import cores
from ...backends.workers import pool, worker
from ...backends.workers.worker import Listener
from ...data import datasets
from ...engine.epochs import environment
from ...engine.search.estimators import Classifier
from ...engine.search.search import cross_val_score, search
from ...errors import OptionError
from ...models.recipe import find
from ..measure import make_row
from ..statistics import Ratio, ratio

SUITE = "search"
RECIPE = "dense/dropout"
TASKS = ("cross-validation", "grid")
RUNNERS = ("wrapper", "trivium")
GRID: dict[str, list[Any]] = {"units": [20, 30, 40], "layers": [2, 3, 4], "optimizer": ["adam", "adadelta"]}
GRID_FOLDS = 3


@dataclass(frozen=True)
class SearchSpeedResult:
    """The measurements of the suite.

    Attributes:
        backend: the backend of both sides.
        samples: seconds, one per round, for each (task, runner).
        scores: the mean score, one per round, for each (task, runner); for a grid that of the best candidate.
        environment: the environment of the wrapper's process.
        arguments: the arguments of the measurement.
    """

    backend: str
    samples: dict[tuple[str, str], list[float]]
    scores: dict[tuple[str, str], list[float]]
    environment: dict[str, Any]
    arguments: dict[str, Any]

    @property
    def tasks(self) -> list[str]:
        return [task for task in TASKS if (task, "trivium") in self.samples]

    def speedup(self, task: str) -> Ratio:
        """Return the time of the wrapper relative to trivium's."""
        return ratio(self.samples[task, "wrapper"], self.samples[task, "trivium"])

    def to_json(self) -> dict[str, Any]:
        """Return the measurements in the schema of all suites; the metric is the task."""
        where = {"recipe": RECIPE, "backend": self.backend, "device": self.environment["device"]}
        rows = []
        for (task, runner), seconds in self.samples.items():
            rows.append(make_row(SUITE, {**where, "runner": runner}, task, "s", seconds))
            rows.append(make_row(SUITE, {**where, "runner": runner}, f"{task} score", "1", self.scores[task, runner]))
        ratios = []
        for task in self.tasks:
            speedup = self.speedup(task)
            interval = {"ratio": speedup.ratio, "low": speedup.low, "high": speedup.high}
            ratios.append({"suite": SUITE, **where, "of": "wrapper", "over": "trivium", "metric": task, **interval})
        return {
            "schema": 1,
            "suite": SUITE,
            "asked": self.arguments,
            "environment": {self.backend: self.environment},
            "rows": rows,
            "ratios": ratios,
        }


def measure(
    backend: str | None = None,
    *,
    tasks: tuple[str, ...] = TASKS,
    epochs: int = 20,
    folds: int = 10,
    samples: int | None = None,
    rounds: int = 1,
    seed: int = 1,
    listener: Listener | None = None,
) -> SearchSpeedResult:
    """Time each task by the wrapper and by trivium, interleaved.

    Args:
        backend: the name of a backend; this process' own by default.
        tasks: some of `TASKS`.
        epochs: the epochs of each fit.
        folds: the folds of the cross-validation; the grid search has three.
        samples: the number of digits of the shipped sample; all 5,000 by default.
        rounds: the number of rounds; the order within a round alternates.
        listener: called with `{"kind": "stage", "title", "stage", "done", "total"}` events.

    Raises:
        BackendError: the backend is unknown or not installed.
        OptionError: a task is unknown.
    """
    if not set(tasks) <= set(TASKS):
        raise OptionError(f"unknown task in {', '.join(tasks)} (known: {', '.join(TASKS)})")
    name = catalog.require_trainer(catalog.use(backend).name).name
    digits = datasets.load("mnist:sample").train
    x, y = digits.x[:samples], digits.y[:samples]
    wrapper_worker = worker.get(name)
    machine = wrapper_worker.call(make_ready)
    pool.prepare_all(pool.get(cores()), (make_ready, ()))
    cells = _cells(wrapper_worker, x, y, epochs, folds, seed)
    selected = [(task, runner) for task in tasks for runner in RUNNERS]
    arguments = {"tasks": list(tasks), "epochs": epochs, "folds": folds, "samples": len(x), "seed": seed}
    result = SearchSpeedResult(
        name, {cell: [] for cell in selected}, {cell: [] for cell in selected}, machine, arguments
    )
    tell = listener or (lambda event: None)
    for number in range(rounds):
        for place, cell in enumerate(selected if number % 2 == 0 else selected[::-1]):
            done = number * len(selected) + place
            tell(_stage(f"{cell[0]} by {cell[1]}", done, rounds * len(selected)))
            began = time.perf_counter()
            score = cells[cell]()
            result.samples[cell].append(time.perf_counter() - began)
            result.scores[cell].append(score)
    tell(_stage("done", rounds * len(selected), rounds * len(selected)))
    return result


def _cells(
    other: worker.Worker, x: np.ndarray, y: np.ndarray, epochs: int, folds: int, seed: int
) -> Mapping[tuple[str, str], Callable[[], float]]:
    from sklearn.model_selection import StratifiedKFold

    def ours_cv() -> float:
        splitter = StratifiedKFold(folds, shuffle=True, random_state=seed)
        return float(cross_val_score(Classifier(RECIPE, epochs=epochs, random_state=seed), x, y, cv=splitter).mean())

    def ours_grid() -> float:
        return search(RECIPE, GRID, (x, y), folds=GRID_FOLDS, epochs=epochs, seed=seed).best.mean

    return {
        ("cross-validation", "trivium"): ours_cv,
        ("grid", "trivium"): ours_grid,
        ("cross-validation", "wrapper"): lambda: float(other.call(cross_validate_wrapper, x, y, epochs, folds, seed)),
        ("grid", "wrapper"): lambda: float(other.call(search_wrapper, x, y, epochs, GRID_FOLDS, seed)),
    }


def _stage(stage: str, done: float, total: float) -> dict[str, Any]:
    return {"kind": "stage", "title": SUITE, "stage": stage, "done": done, "total": total}


# --- in workers -----------------------------------------------------------------------------------------------------


def make_ready() -> dict[str, Any]:
    """Import everything that is needed, and return the environment."""
    return environment.describe()


def cross_validate_wrapper(x: np.ndarray, y: np.ndarray, epochs: int, folds: int, seed: int) -> float:
    """Return the mean score by scikit-learn's `cross_val_score` over Keras' own wrapper."""
    from sklearn import model_selection

    splitter = model_selection.StratifiedKFold(folds, shuffle=True, random_state=seed)
    wrapped, samples, fit_parameters = _wrapped(x, epochs, seed)
    scores = model_selection.cross_val_score(
        wrapped, samples, y, cv=splitter, params=fit_parameters, error_score="raise"
    )
    return float(scores.mean())


def search_wrapper(x: np.ndarray, y: np.ndarray, epochs: int, folds: int, seed: int) -> float:
    """Return the best candidate's mean score by scikit-learn's `GridSearchCV` over Keras' own wrapper."""
    from sklearn import model_selection

    splitter = model_selection.StratifiedKFold(folds, shuffle=True, random_state=seed)
    wrapped, samples, fit_parameters = _wrapped(x, epochs, seed)
    candidates = [dict(candidate) for candidate in model_selection.ParameterGrid(GRID)]
    grid_search = model_selection.GridSearchCV(
        wrapped, {"model_kwargs": candidates}, cv=splitter, refit=False, error_score="raise"
    )
    return float(grid_search.fit(samples, y, **fit_parameters).best_score_)


def _wrapped(x: np.ndarray, epochs: int, seed: int) -> tuple[Any, np.ndarray, dict[str, Any]]:
    """Return the wrapped model, its samples, and the arguments of its `fit`."""
    import keras

    from ...backends.same_run.randomness import portable_initial_weights

    recipe = find(RECIPE)
    keras.config.disable_interactive_logging()

    def build(X: Any, y: Any, optimizer: str = recipe.optimizer, **options: Any) -> keras.Model:  # noqa: N803
        keras.utils.set_random_seed(seed)
        with portable_initial_weights(seed):  # trivium's, so that both sides start from the same weights
            model = recipe(**options)
        model.compile(optimizer=optimizer, loss=recipe.loss, metrics=list(recipe.metrics))
        return model

    samples = (x.reshape(len(x), -1) / 255).astype("float32")
    fit_parameters = {"epochs": epochs, "batch_size": recipe.batch_size, "verbose": 0}
    return keras.wrappers.SKLearnClassifier(build), samples, fit_parameters
