"""A fit (one model to train and score) and its score."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

# Takes the place of a fit and its score.
ScoreCallback = Callable[[int, float], None]


@dataclass(frozen=True)
class Fit:
    """One model to train and to score.

    Attributes:
        params: of the estimator, without the recipe.
        train, test: (n,) indices of the training samples and of the test samples.
    """

    params: Mapping[str, Any]
    train: np.ndarray
    test: np.ndarray


def score(expected: np.ndarray, predicted: np.ndarray, *, classifies: bool) -> float:
    """Return the accuracy, or R² for regression; NaN if predicted values are not finite."""
    from sklearn.metrics import accuracy_score, r2_score

    if classifies:
        return float(accuracy_score(expected, predicted))
    return float(r2_score(expected, predicted)) if np.isfinite(predicted).all() else math.nan
