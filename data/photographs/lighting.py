"""Removes the lighting from a photograph of handwriting: lamps from one side, soft and hard shadows, dark corners."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from .grids import grid_shape, otsu, resized

# Lengths on a grid of this many cells on its longer side. Strokes are narrower than the window; their edges are soft.
_GRID = 192
_SMALL_GRID = 64
_WIDEST_STROKE = 35
_STROKE_EDGE = 9
_SHADOW_EDGE = 5
# The edge of a shadow is hard where the paper's brightness changes within it by this fraction of the picture's range.
_HARD_EDGE = 0.1
# The widths over which paper is smoothed, as fractions of the longer side.
_SMOOTHING = (0.03, 0.2)
# A fraction of the contrast of ink and paper; below it nothing is corrected.
_FAINTEST_SHADOW = 0.05
# Ink differs from paper by more than this fraction of what the darkest ink does.
_INK_SHARE = 0.4
# Paper of less brightness than this, of 255, is not divided by.
_DARKEST_PAPER = 16


def ink_is_light(grey: np.ndarray) -> bool:
    """Return whether strokes are brighter than what they are drawn on.

    A median over a window of half the picture shows what they are drawn on. Of the differences from it the large ones
    are strokes, which their third powers tell from lighting.
    """
    cells = resized(grey, grid_shape(grey.shape, _SMALL_GRID))
    differences = cells - ndimage.median_filter(cells, _SMALL_GRID // 2, mode="nearest")
    return bool((differences**3).sum() > 0)


def without_lighting(grey: np.ndarray) -> np.ndarray:
    """Return how much each pixel differs from the paper around it, on the scale of the picture's brightness.

    Dark ink takes away a part of the light that falls on the paper, so that its difference is divided by the paper's
    brightness. Paper that is evenly lit is left as it is.

    Args:
        grey: (height, width) float64, 0 to 255.

    Returns:
        (height, width) float64: ink is positive, paper near a constant.
    """
    is_light = ink_is_light(grey)
    values = grey if is_light else 255 - grey
    paper = _paper(values)
    if paper is None:
        return values
    differences = values - paper
    if is_light:
        return np.asarray(differences)
    brightness = np.maximum(255 - paper, _DARKEST_PAPER)
    return np.asarray(differences / brightness * brightness.max())


def _paper(values: np.ndarray) -> np.ndarray | None:
    """Return the paper's brightness at each pixel, also under the ink; None where it is even.

    An opening keeps the edges of hard shadows. What is left of the shadows is smooth: under the strokes the paper
    around them counts, by its distance (normalised convolution: Knutsson and Westin, 1993).

    Args:
        values: (height, width), ink brighter than paper.
    """
    cells = resized(values, grid_shape(values.shape, _GRID))
    low, high = np.quantile(cells[cells <= otsu(cells)], (0.05, 0.9))
    if high - low < _FAINTEST_SHADOW * (cells.max() - low):
        return None
    opened = ndimage.grey_opening(cells, _WIDEST_STROKE, mode="nearest")
    beside_edges = ndimage.maximum_filter(opened, _SHADOW_EDGE, mode="nearest")
    steps = ndimage.binary_dilation(beside_edges - opened > _HARD_EDGE * np.ptp(cells), iterations=_SHADOW_EDGE // 2)
    opened, rest = np.where(steps, beside_edges, opened), cells - opened
    ink = rest > max(otsu(rest), _INK_SHARE * float(np.quantile(rest, 0.999)))  # not the lines of the paper
    near_ink = ndimage.binary_dilation(ink, iterations=_STROKE_EDGE)
    clear = (~(near_ink | steps)).astype("float64")
    if not clear.any():
        return None
    paper = opened + _smoothed(rest * clear) / np.maximum(_smoothed(clear), 1e-9)
    return resized(paper, values.shape)


def _smoothed(cells: np.ndarray) -> np.ndarray:
    """Return cells smoothed by a narrow window, and by a wide one that hardly counts beside it."""
    narrow, wide = (ndimage.gaussian_filter(cells, width * _GRID, mode="nearest") for width in _SMOOTHING)
    return np.asarray(narrow + 1e-3 * wide)
