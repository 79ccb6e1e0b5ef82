"""A fit (one model to train and score) and its score."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

# The score of a fit on its test samples; then, where it is asked for, on its training samples.
FitScores = Sequence[float]
# Takes the place of a fit and its scores.
ScoreCallback = Callable[[int, FitScores], None]


@dataclass(frozen=True)
class Fit:
    """One model to train and to score.

    Attributes:
        params: of the estimator, without the recipe.
        train, test: (n,) indices of the training samples and of the test samples.
        scores_training: whether it is scored on its training samples too.
    """

    params: Mapping[str, Any]
    train: np.ndarray
    test: np.ndarray
    scores_training: bool = False

    @property
    def scored(self) -> list[np.ndarray]:
        """The indices of the samples that it is scored on."""
        return [self.test, self.train] if self.scores_training else [self.test]


def score(expected: np.ndarray, predicted: np.ndarray, *, classifies: bool) -> float:
    """Return the accuracy, or R² for regression; NaN if predicted values are not finite."""
    from sklearn.metrics import accuracy_score, r2_score

    if classifies:
        return float(accuracy_score(expected, predicted))
    return float(r2_score(expected, predicted)) if np.isfinite(predicted).all() else math.nan
