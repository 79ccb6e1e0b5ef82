"""The batches on which a tool measures the ranges of activations."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np


def batches_of(calibration: list[np.ndarray], size: int | None) -> Iterator[list[np.ndarray]]:
    """Yield single samples, or batches of the only size that the model accepts; the last sample fills up the last one.

    Args:
        calibration: samples, one array per input.
        size: that size, or None for any.
    """
    step = size or 1
    padded = [np.concatenate([array, np.repeat(array[-1:], -len(array) % step, axis=0)]) for array in calibration]
    for start in range(0, len(padded[0]), step):
        yield [array[start : start + step] for array in padded]
