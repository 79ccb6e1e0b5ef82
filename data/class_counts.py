"""How often each class occurs: among the targets of samples, or of the positions of samples, such as pixels."""

from __future__ import annotations

import numpy as np


def count_classes(y: np.ndarray, classes: int) -> np.ndarray:
    """Return how often each class occurs, (classes,) int64.

    Args:
        y: (n, …) class numbers from 0; at least one.
        classes: their number; the result is longer if there are more.
    """
    if y.ndim == 1:
        return np.bincount(y, minlength=classes)
    # One sample at a time: NumPy counts in 64 bits, and masks are stored in 8.
    counts = np.zeros(max(classes, int(y.max()) + 1), "int64")
    for sample in y:
        part = np.bincount(sample.reshape(-1))
        counts[: len(part)] += part
    return counts
