"""The fits of a search: train models and score them. Models of one architecture train together.

`score_all` does it in this process; the functions at the end of the module do it in a worker.
"""

from __future__ import annotations

import gc
import json
import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from ...backends import runtime
from ...backends.workers import worker
from ...functions import at_most_every
from ...models.recipe import Recipe
from ...storage.memory import return_freed_memory
from .estimators import Classifier, Estimator, Regressor
from .scoring import Fit, FitScores, ScoreCallback, score

KINDS: dict[str, type[Estimator]] = {"classifier": Classifier, "regressor": Regressor}

# Parameters that may differ between models that train together: they are not part of the compiled step.
_PARAMS_OUTSIDE_ARCHITECTURE = ("learning_rate", "random_state")
# Larger groups are slower: their weights and activations no longer fit into the processor's caches.
_LARGEST_GROUP = 16

ProgressCallback = Callable[[float], None]  # takes the number of finished fits, a fraction while they train


def score_all(
    estimator: Estimator,
    fits: Sequence[Fit],
    x: np.ndarray,
    y: np.ndarray,
    *,
    batched: bool = True,
    on_progress: ProgressCallback,
    on_score: ScoreCallback = lambda place, scores: None,
    goes_on: Callable[[], bool] = lambda: True,
) -> list[FitScores]:
    """Return the scores of each fit: accuracy, or R² for regression; none for one that did not begin.

    Args:
        estimator: has the parameters that all fits share.
        fits: in any order.
        x, y: (n, …) samples, and labels or values.
        batched: whether fits of one architecture may train together. The scores are the same.
        on_progress: called with the number of finished fits.
        on_score: called with the place of each fit in `fits` and its scores.
        goes_on: asked before fits are begun; where it says no, no further ones are.

    Raises:
        TriviumError: the parameters are invalid, or do not fit the samples.
    """
    scores: list[FitScores] = [()] * len(fits)
    done = 0.0
    for numbers in group_fits(estimator, fits, y):
        if not goes_on():
            break
        members = [fits[number] for number in numbers]
        group_scores = _score_group(estimator, members, x, y, batched, lambda part, done=done: on_progress(done + part))  # type: ignore[misc]
        for number, fit_scores in zip(numbers, group_scores, strict=True):
            scores[number] = fit_scores
            on_score(number, fit_scores)
        gc.collect()  # models are in circles of references, and large
        return_freed_memory()
        done += len(numbers)
        on_progress(done)
    return scores


def group_fits(estimator: Estimator, fits: Sequence[Fit], y: np.ndarray) -> list[list[int]]:
    """Return groups of fit indices. A group shares its architecture, its number of steps, and its classes."""
    groups: dict[str, list[int]] = defaultdict(list)
    for number, fit in enumerate(fits):
        own = {name: value for name, value in fit.params.items() if name not in _PARAMS_OUTSIDE_ARCHITECTURE}
        configured = _with_params(estimator, fit.params)
        size = configured.batch_size or _recipe(configured).batch_size
        classes = np.unique(y[fit.train]).tolist() if isinstance(estimator, Classifier) else []
        key = json.dumps([own, len(fit.train) // size, classes], sort_keys=True, default=repr)
        groups[key].append(number)
    return [list(part) for members in groups.values() for part in _equal_parts(members, _LARGEST_GROUP)]


def _equal_parts(members: Sequence[int], largest: int) -> Iterable[Sequence[int]]:
    """Split the members into parts of nearly equal size, each at most `largest`."""
    count = math.ceil(len(members) / largest)
    return (part.tolist() for part in np.array_split(members, count))


def _score_group(
    estimator: Estimator,
    fits: Sequence[Fit],
    x: np.ndarray,
    y: np.ndarray,
    batched: bool,
    on_progress: ProgressCallback,
) -> list[FitScores]:
    estimators = [_with_params(estimator, fit.params) for fit in fits]
    if batched and len(fits) > 1:
        from .batched_fits import BatchedFits  # imports Keras

        group = BatchedFits.of(estimators, fits, x, y)
        if group:
            group.train(on_progress)
            return group.scores()
    scores: list[FitScores] = []
    for done, (configured, fit) in enumerate(zip(estimators, fits, strict=True), start=1):
        configured.fit(x[fit.train], y[fit.train])
        classifies = isinstance(configured, Classifier)
        scores.append([score(y[rows], configured.predict(x[rows]), classifies=classifies) for rows in fit.scored])
        on_progress(done)
    return scores


def _with_params(estimator: Estimator, params: Mapping[str, Any]) -> Estimator:
    configured: Estimator = estimator.__sklearn_clone__().set_params(**params)
    return configured


def _recipe(estimator: Estimator) -> Recipe:
    from ..bundles.named_recipe import recipe_of

    return recipe_of(estimator.recipe)


# --- in workers -----------------------------------------------------------------------------------------------------

_data: dict[str, tuple[np.ndarray, np.ndarray]] = {}


def store_data(key: str, x: np.ndarray, y: np.ndarray) -> None:
    """Store the samples for later calls to `score_in_worker`, in place of any other samples."""
    _data.clear()
    _data[key] = (x, y)
    runtime.current()
    # What is alive now, the framework above all, is not looked through again; what is garbage must be gone before.
    gc.collect()
    gc.freeze()


def score_in_worker(
    key: str, kind: str, shared: dict[str, Any], fits: list[list[Any]], *, batched: bool = True
) -> list[FitScores]:
    """Call `score_all` on the samples that `store_data` has stored, and report progress to the parent.

    Args:
        key: of the stored samples.
        kind: a key of `KINDS`.
        shared: the estimator's parameters, including the recipe's name.
        fits: a list of the fields of each `Fit`.
    """
    x, y = _data[key]
    fit_list = [Fit(*fields) for fields in fits]
    estimator = KINDS[kind](**shared)
    scores = score_all(estimator, fit_list, x, y, batched=batched, on_progress=lambda done: worker.report(done=done))
    _release()
    return scores


def _release_models() -> None:
    runtime.current().release_models(thoroughly=True)
    gc.collect()
    return_freed_memory()


# Not after each group: JAX compiles for 0.3 s what the next one shares with those before it.
_release = at_most_every(10.0, _release_models)
