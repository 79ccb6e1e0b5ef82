"""Models trained only to be scored: what a search consists of. Those that share an architecture train together.

The functions at the end are called in workers; `score_all` is as good in this process.
"""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from ...backends import runtime
from ...backends.workers import worker
from ...models.recipe import Recipe
from .batched_fits import Together
from .estimators import Classifier, Estimator, Regressor
from .scoring import Fit, score

KINDS: dict[str, type[Estimator]] = {"classifier": Classifier, "regressor": Regressor}

# What may differ between models that train together: it is no part of what is compiled.
_NO_ARCHITECTURE = ("learning_rate", "random_state")
# With more, their weights and activations crowd each other out of the processor's caches.
_MOST_TOGETHER = 16

Told = Callable[[float], None]  # how many fits are done, as a number that grows in parts


def score_all(
    estimator: Estimator, fits: Sequence[Fit], x: np.ndarray, y: np.ndarray, *, together: bool = True, tell: Told
) -> list[float]:
    """The score of each fit on its test samples: accuracy, or R² where values are predicted.

    Args:
        estimator: with the parameters that all fits share.
        fits: in any order.
        x, y: (n, …) samples and labels or values.
        together: whether those that can may train together; the scores are the same.
        tell: called with how many fits are done.

    Raises:
        TriviumError: parameters that cannot be, or that do not go with the samples.
    """
    scores = [math.nan] * len(fits)
    done = 0.0
    for members in in_groups(estimator, fits, y):
        chosen = [fits[number] for number in members]
        group = _score_group(estimator, chosen, x, y, together, lambda part, done=done: tell(done + part))  # type: ignore[misc]
        for number, fit_score in zip(members, group, strict=True):
            scores[number] = fit_score
        done += len(members)
        tell(done)
    return scores


def in_groups(estimator: Estimator, fits: Sequence[Fit], y: np.ndarray) -> list[list[int]]:
    """The numbers of the fits, those together that share an architecture, the number of steps and the classes."""
    groups: dict[str, list[int]] = defaultdict(list)
    for number, fit in enumerate(fits):
        own = {name: value for name, value in fit.params.items() if name not in _NO_ARCHITECTURE}
        given = _configured(estimator, fit.params)
        size = given.batch_size or _recipe(given).batch_size
        classes = np.unique(y[fit.train]).tolist() if isinstance(estimator, Classifier) else []
        key = json.dumps([own, len(fit.train) // size, classes], sort_keys=True, default=repr)
        groups[key].append(number)
    return [list(part) for members in groups.values() for part in _parts(members, _MOST_TOGETHER)]


def _parts(members: Sequence[int], most: int) -> Iterable[Sequence[int]]:
    """About equally many in each part."""
    count = math.ceil(len(members) / most)
    return (part.tolist() for part in np.array_split(members, count))


def _score_group(
    estimator: Estimator, fits: Sequence[Fit], x: np.ndarray, y: np.ndarray, together: bool, tell: Told
) -> list[float]:
    estimators = [_configured(estimator, fit.params) for fit in fits]
    if together and len(fits) > 1 and (group := Together.of(estimators, fits, x, y)):
        group.train(tell)
        return group.scores()
    scores = []
    for done, (each, fit) in enumerate(zip(estimators, fits, strict=True), start=1):
        each.fit(x[fit.train], y[fit.train])
        predicted = each.predict(x[fit.test])
        scores.append(score(y[fit.test], predicted, classifies=isinstance(each, Classifier)))
        tell(done)
    return scores


def _configured(estimator: Estimator, params: Mapping[str, Any]) -> Estimator:
    made: Estimator = estimator.__sklearn_clone__().set_params(**params)
    return made


def _recipe(estimator: Estimator) -> Recipe:
    from .recipe_from_arrays import recipe_of

    return recipe_of(estimator.recipe)


# --- in workers -----------------------------------------------------------------------------------------------------

_data: dict[str, tuple[np.ndarray, np.ndarray]] = {}


def keep_data(key: str, x: np.ndarray, y: np.ndarray) -> None:
    """Hold the samples that later calls are about, and no others."""
    _data.clear()
    _data[key] = (x, y)
    runtime.current()


def score_here(
    key: str, kind: str, shared: dict[str, Any], fits: list[list[Any]], *, together: bool = True
) -> list[float]:
    """`score_all` on the samples under that key, telling the caller how far it is.

    Args:
        kind: one of `KINDS`.
        shared: the estimator's parameters, the recipe's name among them.
        fits: each as [params, train, test].
    """
    x, y = _data[key]
    found = [Fit(params, train, test) for params, train, test in fits]
    estimator = KINDS[kind](**shared)
    return score_all(estimator, found, x, y, together=together, tell=lambda done: worker.report(done=done))
