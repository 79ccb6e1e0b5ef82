"""How often each class occurs: among the targets of samples, or of the positions of samples, such as pixels."""

from __future__ import annotations

import numpy as np

from .deferred_array import DeferredArray, chunks_of


def are_one_hot(rows: np.ndarray) -> bool:
    """Return whether each row, along the last axis, has a single 1 among zeros."""
    return bool(((rows == 0) | (rows == 1)).all() and (rows.sum(axis=-1) == 1).all())


def count_classes(y: np.ndarray | DeferredArray, classes: int) -> np.ndarray:
    """Return how often each class occurs, (classes,) int64.

    Args:
        y: (n, …) class numbers from 0; at least one.
        classes: their number; the result is longer if there are more.
    """
    counts = np.zeros(classes, "int64")
    for rows in chunks_of(y):
        # One sample at a time where it has several: NumPy counts in 64 bits, and masks are stored in 8.
        for sample in [rows] if rows.ndim == 1 else rows:
            part = np.bincount(sample.reshape(-1), minlength=len(counts))
            part[: len(counts)] += counts
            counts = part
    return counts
