"""Many fits, scored: divided among warm workers here or on a cluster, or in this process where there are none."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from ...backends.workers import pool
from ...backends.workers.executors import LOCAL, Executor
from ...backends.workers.worker import Listener
from ...errors import OptionError
from .estimators import Classifier, Estimator
from .fits import in_groups, score_all
from .scoring import Fit

_FITS = f"{__package__}.fits"


class Scorer:
    """Scores fits in the workers, or in this process where there are none; counts them.

    Args:
        executor: whose workers.

    Raises:
        OptionError: fits that must go to a worker and cannot, or are to go to one and to none.
    """

    def __init__(
        self,
        estimator: Estimator,
        x: np.ndarray,
        y: np.ndarray,
        workers: int | None,
        listener: Listener | None,
        executor: Executor = LOCAL,
    ):
        self.fits = 0
        self._estimator = estimator
        self._x, self._y = x, y
        self._tell = listener or (lambda event: None)
        self._executor = executor
        elsewhere = executor is not LOCAL
        movable = isinstance(estimator.recipe, str)
        if not movable and (workers or elsewhere):
            raise OptionError(
                "a recipe without a name cannot go to a worker: give path/to/file.py:function, or workers=0"
            )
        if workers == 0 and elsewhere:
            raise OptionError("workers=0 keeps all fits in this process: leave the executor out, or the workers")
        self._count = executor.cores() if workers is None and movable else workers or 0

    def __enter__(self) -> Scorer:
        if self._count:
            self._stage("starting workers", 0, None)
            self._workers = self._executor.team(self._count)
            pool.each(self._workers, (f"{_FITS}:keep_data", ("search", self._x, self._y)))
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing: the workers stay warm."""

    def __call__(self, fits: list[Fit]) -> list[float]:
        self.fits += len(fits)
        if not self._count:
            return score_all(self._estimator, fits, self._x, self._y, tell=lambda done: self._done(done, len(fits)))
        groups = [part for group in in_groups(self._estimator, fits, self._y) for part in self._divided(group, fits)]
        groups.sort(key=len, reverse=True)
        done = [0.0] * len(groups)

        def hear(number: int, event: Mapping[str, Any]) -> None:
            done[number] = event["done"]
            self._done(sum(done), len(fits))

        calls: list[pool.Call] = [(f"{_FITS}:score_here", self._arguments(group, fits)) for group in groups]
        scores = [math.nan] * len(fits)
        for group, found in zip(groups, pool.run(self._workers, calls, hear), strict=True):
            for number, score in zip(group, found, strict=True):
                scores[number] = score
        return scores

    def _divided(self, group: list[int], fits: list[Fit]) -> list[list[int]]:
        """A group so large that a worker would be left without work, in parts."""
        share = math.ceil(len(fits) / self._count)
        parts = math.ceil(len(group) / share)
        return [part.tolist() for part in np.array_split(group, parts)]

    def _arguments(self, group: list[int], fits: list[Fit]) -> tuple[Any, ...]:
        kind = "classifier" if isinstance(self._estimator, Classifier) else "regressor"
        sent = [[dict(fits[n].params), fits[n].train, fits[n].test] for n in group]
        return "search", kind, _given(self._estimator), sent

    def _done(self, done: float, total: int) -> None:
        self._stage(f"{int(done)} of {total} fits", done, total)

    def _stage(self, stage: str, done: float, total: float | None) -> None:
        self._tell({"kind": "stage", "stage": stage, "done": done, "total": total})


def _given(estimator: Estimator) -> dict[str, Any]:
    """An estimator's parameters as they go to a worker."""
    given = {name: value for name, value in estimator.given.items() if value is not None}
    return {**given, "random_state": estimator.drawn_seed()}
