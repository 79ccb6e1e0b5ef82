"""Scores fits of an estimator of the user's own, such as a pipeline, one after the other in this process."""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from ...backends.workers.worker import Listener
from ...errors import DataError, TriviumError, first_line
from .scorer import TimeUpError
from .scoring import Fit, FitScores, ScoreCallback, score
from .subject import Subject, with_parameters


class OneByOne:
    """Scores fits by scikit-learn's own methods, and counts them in `fits`.

    Args:
        seconds: from now, after which no further fit is begun.
    """

    def __init__(self, subject: Subject, listener: Listener | None, seconds: float):
        self.fits = 0
        self._subject = subject
        self._listener = listener or (lambda event: None)
        self._end = time.monotonic() + seconds

    def __enter__(self) -> OneByOne:
        return self

    def __exit__(self, *_: object) -> None:
        """Do nothing: there are no workers."""

    def __call__(self, fits: list[Fit], on_score: ScoreCallback = lambda place, scores: None) -> list[FitScores]:
        """Return the scores of fits; see `Scorer`.

        Raises:
            DataError: the estimator cannot be fitted to the samples.
            TimeUpError: the time was up before the last fit began.
            KeyboardInterrupt: Ctrl-C.
        """
        scores = []
        for place, fit in enumerate(fits):
            if time.monotonic() >= self._end:
                raise TimeUpError
            scores.append(self._score(fit))
            self.fits += 1
            on_score(place, scores[-1])
            stage = f"{place + 1} of {len(fits)} fits"
            self._listener({"kind": "stage", "stage": stage, "done": place + 1, "total": len(fits)})
        return scores

    def _score(self, fit: Fit) -> FitScores:
        x, y, classifies = self._subject.x, self._subject.y, self._subject.kind == "classifier"
        estimator = with_parameters(self._subject.estimator, fit.params)
        try:
            estimator.fit(_rows(x, fit.train), y[fit.train])
            return [score(y[rows], estimator.predict(_rows(x, rows)), classifies=classifies) for rows in fit.scored]
        except TriviumError:
            raise
        except (TypeError, ValueError) as error:
            raise DataError(
                f"{type(estimator).__name__} cannot be fitted to the samples: {first_line(error)}"
            ) from error


def _rows(x: Any, rows: np.ndarray) -> Any:
    return x.iloc[rows] if hasattr(x, "iloc") else x[rows]
