"""One model to train and to score, and its score."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Fit:
    """One model to train and to score.

    Attributes:
        params: of the estimator, beside the recipe.
        train, test: (n,) the numbers of the samples to learn from, and of those to be asked about.
    """

    params: Mapping[str, Any]
    train: np.ndarray
    test: np.ndarray


def score(expected: np.ndarray, predicted: np.ndarray, *, classifies: bool) -> float:
    """Accuracy, or R² where values are predicted: NaN where training has led to values that are not finite."""
    from sklearn.metrics import accuracy_score, r2_score

    if classifies:
        return float(accuracy_score(expected, predicted))
    return float(r2_score(expected, predicted)) if np.isfinite(predicted).all() else math.nan
