"""What a preprocessing step learns from the values of the training data, also where these are larger than memory.

Values in memory are reduced by NumPy as they are. Deferred values are reduced some MB at a time. Their extremes are the
same; their mean and standard deviation differ from those in memory by rounding, about 1e-15 of their size.
"""

from __future__ import annotations

import math

import numpy as np

from ..deferred_array import DeferredArray, chunks_of

# Axes to reduce; None for all.
Axes = tuple[int, ...] | None


def extremes(values: np.ndarray | DeferredArray, axes: Axes = None) -> tuple[np.ndarray, np.ndarray]:
    """Return the smallest and the largest values over some axes, the first among them."""
    lows, highs = zip(*((rows.min(axes), rows.max(axes)) for rows in chunks_of(values)), strict=True)
    return np.min(lows, axis=0), np.max(highs, axis=0)


def mean(values: np.ndarray | DeferredArray) -> float:
    """Return the mean of all values."""
    if not isinstance(values, DeferredArray):
        return float(values.mean())
    return math.fsum(float(rows.mean()) * rows.size for rows in values.chunks()) / values.size


def moments(values: np.ndarray | DeferredArray, axes: Axes) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean and the standard deviation over some axes, the first among them, in float64."""
    if not isinstance(values, DeferredArray):
        return values.mean(axes, dtype="float64"), values.std(axes, dtype="float64")
    count, average, squares = 0.0, np.zeros(()), np.zeros(())
    for rows in values.chunks():  # Chan, Golub and LeVeque (1979): the moments of two parts give those of both
        part = rows.mean(axes, dtype="float64")
        added = rows.size / part.size
        shift, share = part - average, added / (count + added)
        squares = squares + rows.var(axes, dtype="float64") * added + np.square(shift) * (count * share)
        average = average + shift * share
        count += added
    return np.asarray(average), np.sqrt(squares / count)
