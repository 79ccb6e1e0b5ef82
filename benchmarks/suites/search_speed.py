"""How much sooner does a search end than one fit after another? Cross-validation and a grid, beside Keras' wrapper.

The other side is what anybody would write: scikit-learn's `cross_val_score` and `GridSearchCV` over
`keras.wrappers.SKLearnClassifier`, in a process of its own that has every core. Both get the same samples, folds,
initial weights, batch size and epochs. Importing is counted for neither: the workers of both are warm.
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
from ...engine.data import datasets
from ...engine.epochs import environment
from ...engine.search.estimators import Classifier
from ...engine.search.search import cross_val_score, search
from ...errors import OptionError
from ...models.recipe import find
from ..measure import row
from ..statistics import Ratio, ratio

SUITE = "search"
RECIPE = "dense/dropout"
TASKS = ("cross-validation", "grid")
RUNNERS = ("wrapper", "trivium")
GRID: dict[str, list[Any]] = {"units": [20, 30, 40], "layers": [2, 3, 4], "optimizer": ["adam", "adadelta"]}
GRID_FOLDS = 3


@dataclass(frozen=True)
class Result:
    """What the suite found.

    Attributes:
        backend: on which both computed.
        samples: seconds, one a round, for each (task, runner).
        scores: the mean score, one a round, for each (task, runner); of a grid its best candidate's.
        environment: of the other side's process.
        asked: what was measured.
    """

    backend: str
    samples: dict[tuple[str, str], list[float]]
    scores: dict[tuple[str, str], list[float]]
    environment: dict[str, Any]
    asked: dict[str, Any]

    @property
    def tasks(self) -> list[str]:
        return [task for task in TASKS if (task, "trivium") in self.samples]

    def speedup(self, task: str) -> Ratio:
        """The wrapper's seconds over ours."""
        return ratio(self.samples[task, "wrapper"], self.samples[task, "trivium"])

    def to_json(self) -> dict[str, Any]:
        """In the schema of all suites; which task it was stands in the metric."""
        where = {"recipe": RECIPE, "backend": self.backend, "device": self.environment["device"]}
        rows = []
        for (task, runner), seconds in self.samples.items():
            rows.append(row(SUITE, {**where, "runner": runner}, task, "s", seconds))
            rows.append(row(SUITE, {**where, "runner": runner}, f"{task} score", "1", self.scores[task, runner]))
        ratios = []
        for task in self.tasks:
            found = self.speedup(task)
            interval = {"ratio": found.ratio, "low": found.low, "high": found.high}
            ratios.append({"suite": SUITE, **where, "of": "wrapper", "over": "trivium", "metric": task, **interval})
        return {
            "schema": 1,
            "suite": SUITE,
            "asked": self.asked,
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
) -> Result:
    """Time each task by the wrapper and by trivium, in turns.

    Args:
        backend: a name; the process' own by default.
        tasks: of `TASKS`.
        epochs: of each fit.
        folds: of the cross-validation; the grid has three.
        samples: so many digits of the shipped sample, all 5,000 by default.
        rounds: of measuring; the order within a round changes.
        listener: called with `{"kind": "stage", "title", "stage", "done", "total"}` events.

    Raises:
        BackendError: the backend is unknown or not installed.
        OptionError: there is no such task.
    """
    if not set(tasks) <= set(TASKS):
        raise OptionError(f"unknown task in {', '.join(tasks)} (known: {', '.join(TASKS)})")
    name = catalog.use(backend).name
    digits = datasets.load("mnist:sample").train
    x, y = digits.x[:samples], digits.y[:samples]
    other = worker.get(name)
    found = other.call(f"{__name__}:make_ready")
    pool.each(pool.get(cores()), (f"{__name__}:make_ready", ()))
    cells = _cells(other, x, y, epochs, folds, seed)
    chosen = [(task, runner) for task in tasks for runner in RUNNERS]
    asked = {"tasks": list(tasks), "epochs": epochs, "folds": folds, "samples": len(x), "seed": seed}
    result = Result(name, {cell: [] for cell in chosen}, {cell: [] for cell in chosen}, found, asked)
    tell = listener or (lambda event: None)
    for number in range(rounds):
        for place, cell in enumerate(chosen if number % 2 == 0 else chosen[::-1]):
            done = number * len(chosen) + place
            tell(_stage(f"{cell[0]} by {cell[1]}", done, rounds * len(chosen)))
            began = time.perf_counter()
            score = cells[cell]()
            result.samples[cell].append(time.perf_counter() - began)
            result.scores[cell].append(score)
    tell(_stage("done", rounds * len(chosen), rounds * len(chosen)))
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
        ("cross-validation", "wrapper"): lambda: float(
            other.call(f"{__name__}:cross_validate_wrapper", x, y, epochs, folds, seed)
        ),
        ("grid", "wrapper"): lambda: float(other.call(f"{__name__}:search_wrapper", x, y, epochs, GRID_FOLDS, seed)),
    }


def _stage(stage: str, done: float, total: float) -> dict[str, Any]:
    return {"kind": "stage", "title": SUITE, "stage": stage, "done": done, "total": total}


# --- in workers -----------------------------------------------------------------------------------------------------


def make_ready() -> dict[str, Any]:
    """Import what will be needed; where this is."""
    return environment.describe()


def cross_validate_wrapper(x: np.ndarray, y: np.ndarray, epochs: int, folds: int, seed: int) -> float:
    """The mean score by scikit-learn's `cross_val_score` over Keras' own wrapper."""
    from sklearn import model_selection

    splitter = model_selection.StratifiedKFold(folds, shuffle=True, random_state=seed)
    wrapped, samples, given = _wrapped(x, epochs, seed)
    scores = model_selection.cross_val_score(wrapped, samples, y, cv=splitter, params=given, error_score="raise")
    return float(scores.mean())


def search_wrapper(x: np.ndarray, y: np.ndarray, epochs: int, folds: int, seed: int) -> float:
    """The best candidate's mean score by scikit-learn's `GridSearchCV` over Keras' own wrapper."""
    from sklearn import model_selection

    splitter = model_selection.StratifiedKFold(folds, shuffle=True, random_state=seed)
    wrapped, samples, given = _wrapped(x, epochs, seed)
    candidates = [dict(each) for each in model_selection.ParameterGrid(GRID)]
    found = model_selection.GridSearchCV(
        wrapped, {"model_kwargs": candidates}, cv=splitter, refit=False, error_score="raise"
    )
    return float(found.fit(samples, y, **given).best_score_)


def _wrapped(x: np.ndarray, epochs: int, seed: int) -> tuple[Any, np.ndarray, dict[str, Any]]:
    """The wrapper, its samples, and what its `fit` is given."""
    import keras

    from ...backends.same_run.randomness import owned_initial_weights

    recipe = find(RECIPE)
    keras.config.disable_interactive_logging()

    def build(X: Any, y: Any, optimizer: str = recipe.optimizer, **options: Any) -> keras.Model:  # noqa: N803
        keras.utils.set_random_seed(seed)
        with owned_initial_weights(seed):  # ours, so that both begin alike
            model = recipe(**options)
        model.compile(optimizer=optimizer, loss=recipe.loss, metrics=list(recipe.metrics))
        return model

    samples = (x.reshape(len(x), -1) / 255).astype("float32")
    given = {"epochs": epochs, "batch_size": recipe.batch_size, "verbose": 0}
    return keras.wrappers.SKLearnClassifier(build), samples, given
