"""Arrays of brightness: another size, and the threshold between dark and bright."""

from __future__ import annotations

import numpy as np
from PIL import Image


def grid_shape(shape: tuple[int, ...], longer_side: int) -> tuple[int, int]:
    """Return the height and width of a grid with the proportions of a picture."""
    height, width = (max(1, round(side * longer_side / max(shape))) for side in shape)
    return height, width


def resized(values: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Return values (height, width) in another shape: averaged where it is smaller, between neighbours where larger."""
    filtering = Image.Resampling.BOX if shape < values.shape else Image.Resampling.BILINEAR
    return np.asarray(Image.fromarray(values.astype("float32")).resize((shape[1], shape[0]), filtering), "float64")


def otsu(values: np.ndarray) -> float:
    """Return the threshold that maximises the variance between the darker and the brighter class (Otsu, 1979)."""
    counts, edges = np.histogram(values, bins=256)
    levels = (edges[:-1] + edges[1:]) / 2
    below = np.cumsum(counts)
    above = below[-1] - below
    sum_below = np.cumsum(counts * levels)
    with np.errstate(divide="ignore", invalid="ignore"):
        low, high = sum_below / below, (sum_below[-1] - sum_below) / above
        variance = np.nan_to_num(below * above * (high - low) ** 2)
    return float(edges[int(variance.argmax()) + 1])
