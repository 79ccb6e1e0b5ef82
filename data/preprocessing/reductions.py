"""What a preprocessing step learns from the values of the training data, also where these are larger than memory.

Values in memory are reduced by NumPy as they are. Deferred values are reduced some MB at a time. Their extremes are the
same; their mean and standard deviation differ from those in memory by rounding, about 1e-15 of their size.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np

from ..deferred_array import DeferredArray, chunks_of

# Axes to reduce; None for all.
Axes = tuple[int, ...] | None


def extremes(values: np.ndarray | DeferredArray, axes: Axes = None) -> tuple[np.ndarray, np.ndarray]:
    """Return the smallest and the largest values over some axes, the first among them."""
    lows, highs = zip(*((rows.min(axes), rows.max(axes)) for rows in chunks_of(values)), strict=True)
    return np.min(lows, axis=0), np.max(highs, axis=0)


def describe(values: np.ndarray | DeferredArray) -> tuple[float, float, float]:
    """Return the smallest and the largest value and the mean, without gaps; NaN where there is nothing else."""
    if not isinstance(values, DeferredArray):
        return float(np.nanmin(values)), float(np.nanmax(values)), float(np.nanmean(values))
    low, high, count, sums = np.nan, np.nan, 0, []
    for rows in values.chunks():
        low, high = np.fmin(low, np.fmin.reduce(rows, axis=None)), np.fmax(high, np.fmax.reduce(rows, axis=None))
        known = rows.size - int(np.isnan(rows).sum())
        sums.append(float(np.nanmean(rows)) * known if known else 0.0)
        count += known
    return float(low), float(high), math.fsum(sums) / count if count else math.nan


def moments(values: np.ndarray | DeferredArray, axes: Axes) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean and the standard deviation over some axes, the first among them, in float64."""
    if not isinstance(values, DeferredArray):
        return values.mean(axes, dtype="float64"), values.std(axes, dtype="float64")
    return moments_of_blocks(values.chunks(), axes)


def moments_of_blocks(blocks: Iterable[np.ndarray], axes: Axes) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean and the standard deviation over some axes of all blocks; of one block those of NumPy."""
    count, average, variance = 0.0, np.zeros(()), np.zeros(())
    for rows in blocks:  # Chan, Golub and LeVeque (1979): the moments of two parts give those of both
        part = rows.mean(axes, dtype="float64")
        added = rows.size / part.size
        shift, share = part - average, added / (count + added)
        variance = variance * (1 - share) + rows.var(axes, dtype="float64") * share + shift**2 * (share * (1 - share))
        average = average + shift * share
        count += added
    return np.asarray(average), np.sqrt(variance)
