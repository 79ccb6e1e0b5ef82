"""Score many fits: distributed over warm workers, on this machine or a cluster, or in this process."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from typing import Any

import numpy as np

from ...backends.workers import pool
from ...backends.workers.executors import LOCAL, Executor
from ...backends.workers.worker import Listener
from ...errors import OptionError
from .estimators import Classifier, Estimator
from .fits import group_fits, score_all, score_in_worker, store_data
from .scoring import Fit, FitScores, ScoreCallback


class TimeUpError(Exception):
    """The time of a search is up, and some fits were not begun."""


class Scorer:
    """Scores fits in workers or in this process, and counts them in `fits`.

    Args:
        workers: the number of workers; 0 for this process, None for one per core.
        executor: starts the workers.
        seconds: from now, after which no further fit is begun.

    Raises:
        OptionError: workers are needed but the recipe has no name, or `workers=0` with an executor.
    """

    def __init__(
        self,
        estimator: Estimator,
        x: np.ndarray,
        y: np.ndarray,
        workers: int | None,
        listener: Listener | None,
        executor: Executor = LOCAL,
        seconds: float = math.inf,
    ):
        self.fits = 0
        self._end = time.monotonic() + seconds
        self._estimator = estimator
        self._x, self._y = x, y
        self._listener = listener or (lambda event: None)
        self._executor = executor
        is_remote = executor is not LOCAL
        can_travel = isinstance(estimator.recipe, str) and _is_plain(estimator.explicit_params)
        if not can_travel and (workers or is_remote):
            raise OptionError(
                "a recipe without a name, an optimizer or a callback cannot go to a worker: give "
                "path/to/file.py:function and names, or workers=0"
            )
        if workers == 0 and is_remote:
            raise OptionError("workers=0 keeps all fits in this process: leave the executor out, or the workers")
        self._count = executor.cores() if workers is None and can_travel else workers or 0

    def __enter__(self) -> Scorer:
        if self._count:
            self._report_stage("starting workers", 0, None)
            self._workers = self._executor.team(self._count)
            pool.prepare_all(self._workers, (store_data, ("search", self._x, self._y)))
        return self

    def __exit__(self, *_: object) -> None:
        """Do nothing: the workers stay warm."""

    def __call__(self, fits: list[Fit], on_score: ScoreCallback = lambda place, scores: None) -> list[FitScores]:
        """Return the scores of fits.

        Args:
            on_score: called with the place of each fit and its scores, as soon as they are known; by one thread at a
                time.

        Raises:
            TriviumError: the parameters are invalid, or do not fit the samples.
            TimeUpError: the time was up before the last fit began.
            KeyboardInterrupt: Ctrl-C.
        """
        scores: dict[int, FitScores] = {}

        def note(place: int, fit_scores: FitScores) -> None:
            scores[place] = fit_scores
            self.fits += 1
            on_score(place, fit_scores)

        if not self._count or not all(_is_plain(fit.params) for fit in fits):
            self._score_here(fits, note)
        else:
            self._score_in_workers(fits, note)
        if len(scores) < len(fits):
            raise TimeUpError
        return [scores[place] for place in range(len(fits))]

    def _score_here(self, fits: list[Fit], note: ScoreCallback) -> None:
        score_all(
            self._estimator,
            fits,
            self._x,
            self._y,
            on_progress=lambda done: self._report_done(done, len(fits)),
            on_score=note,
            goes_on=self._has_time,
        )

    def _score_in_workers(self, fits: list[Fit], note: ScoreCallback) -> None:
        groups = [part for group in group_fits(self._estimator, fits, self._y) for part in self._divide(group, fits)]
        groups.sort(key=len, reverse=True)
        done = [0.0] * len(groups)

        def on_event(number: int, event: Mapping[str, Any]) -> None:
            done[number] = event["done"]
            self._report_done(sum(done), len(fits))

        def on_result(number: int, group_scores: list[FitScores]) -> None:
            for place, fit_scores in zip(groups[number], group_scores, strict=True):
                note(place, fit_scores)

        calls: list[pool.Call] = [(score_in_worker, self._arguments(group, fits)) for group in groups]
        pool.run(self._workers, calls, on_event, on_result=on_result, goes_on=self._has_time)

    def _has_time(self) -> bool:
        return time.monotonic() < self._end

    def _divide(self, group: list[int], fits: list[Fit]) -> list[list[int]]:
        """Split a group that is so large that some worker would have no work."""
        share = math.ceil(len(fits) / self._count)
        parts = math.ceil(len(group) / share)
        return [part.tolist() for part in np.array_split(group, parts)]

    def _arguments(self, group: list[int], fits: list[Fit]) -> tuple[Any, ...]:
        kind = "classifier" if isinstance(self._estimator, Classifier) else "regressor"
        members = [fits[number] for number in group]
        fit_arguments = [[dict(fit.params), fit.train, fit.test, fit.scores_training] for fit in members]
        return "search", kind, _worker_params(self._estimator), fit_arguments

    def _report_done(self, done: float, total: int) -> None:
        self._report_stage(f"{int(done)} of {total} fits", done, total)

    def _report_stage(self, stage: str, done: float, total: float | None) -> None:
        self._listener({"kind": "stage", "stage": stage, "done": done, "total": total})


def _is_plain(value: Any) -> bool:
    """Return whether a value can be sent to a worker: text, numbers, arrays, and lists and dictionaries of these."""
    if isinstance(value, Mapping):
        return all(map(_is_plain, value.values()))
    if isinstance(value, (list, tuple)):
        return all(map(_is_plain, value))
    return value is None or isinstance(value, (str, bool, int, float, np.generic, np.ndarray))


def _worker_params(estimator: Estimator) -> dict[str, Any]:
    """Return an estimator's parameters as they are sent to a worker."""
    params = {name: value for name, value in estimator.explicit_params.items() if value is not None}
    return {**params, "random_state": estimator.resolve_seed()}
