"""Finds the sheet of paper, or the board, where a photograph shows the table around it too.

A sheet has a sharp edge, ink inside it, and the table between it and the edge of the picture. The edge of a hard shadow
is sharp too, but strokes cross it.
"""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw
from scipy import ndimage
from scipy.spatial import ConvexHull

from .grids import grid_shape, resized

# Lengths on a grid of this many cells on its longer side: windows wider than strokes, and the narrowest sheet.
_GRID = 96
# The levels of brightness that are tried between sheet and table.
_LEVELS = 24
_MEDIAN_WINDOW = 17
_NARROWEST_SHEET = 14
# Fractions: of the picture that is sheet at least, of its middle, and of one of its sides that the table fills.
_LEAST_AREA = 0.15
_LEAST_CENTRE = 0.8
# Of its convex hull: the ink of a thick digit may be missing.
_LEAST_CONVEXITY = 0.75
_LEAST_TABLE_SIDE = 0.6
# The brightness around the edge changes by this, of 255, at least; most of it within a window of few cells.
_LEAST_STEP = 15
_NEAR, _FAR = 5, 13
_LEAST_SHARPNESS, _ABOUT_AS_SHARP = 0.5, 0.9
# Ink differs from paper by this fraction of what the sheet differs from the table.
_LEAST_INK = 0.15
# A stroke crosses the edge with this fraction of its cells, and so many, on either side.
_CROSSING_SHARE = 0.02
_CROSSING_CELLS = 6
# What is taken away along the edge, which is blurred and has a shadow of its own.
_EDGE_CELLS = 2


def sheet_of(grey: np.ndarray) -> np.ndarray | None:
    """Return which pixels are on the sheet, (height, width) bool; None where nothing else is in the picture.

    Args:
        grey: (height, width), ink of any polarity.
    """
    cells = resized(grey, grid_shape(grey.shape, _GRID))
    if min(cells.shape) < _NARROWEST_SHEET:
        return None
    smooth = ndimage.median_filter(cells, _MEDIAN_WINDOW, mode="nearest")
    sheet = _sharpest(smooth)
    if sheet is None:
        return None
    inside = ndimage.binary_erosion(sheet, iterations=_EDGE_CELLS, border_value=1)
    outside = ndimage.binary_erosion(~sheet, iterations=_EDGE_CELLS, border_value=1)
    if not inside.any() or not outside.any():
        return None
    step = abs(float(np.median(smooth[inside])) - float(np.median(smooth[outside])))
    difference = np.abs(cells - smooth)
    if difference[inside].max() < _LEAST_INK * step or _is_crossed(difference, inside, outside):
        return None
    return np.asarray(resized(inside.astype("float64"), grey.shape) > 0.99)


def _sharpest(smooth: np.ndarray) -> np.ndarray | None:
    """Return the area on a table with the sharpest edge, the largest of those about as sharp; None if none is sharp."""
    levels = np.linspace(smooth.min(), smooth.max(), _LEVELS + 2)[1:-1]
    candidates = [area for level in levels for area in (smooth > level, smooth <= level)]
    areas = [area for candidate in candidates if (area := _central(candidate)) is not None and _is_on_table(area)]
    steps = _steps(smooth)
    sharpness = np.array([_sharpness(steps, area) for area in areas])
    if not areas or sharpness.max() < _LEAST_SHARPNESS:
        return None
    sharp = [area for area, value in zip(areas, sharpness, strict=True) if value > _ABOUT_AS_SHARP * sharpness.max()]
    return max(sharp, key=lambda area: int(area.sum()))


def _central(area: np.ndarray) -> np.ndarray | None:
    """Return the convex hull of an area's widest part; None if that is not in the middle, or not of a sheet's form."""
    wide = ndimage.grey_opening(area.astype("uint8"), _NARROWEST_SHEET, mode="nearest")
    labels, count = ndimage.label(wide)
    if not count:
        return None
    largest = labels == 1 + int(np.bincount(labels.ravel())[1:].argmax())
    if largest.mean() < _LEAST_CONVEXITY * _LEAST_AREA:
        return None
    sheet = _convex_hull(largest)
    if largest.sum() < _LEAST_CONVEXITY * sheet.sum():
        return None
    rows, columns = (slice(side // 4, side - side // 4) for side in sheet.shape)
    is_central = sheet[rows, columns].mean() > _LEAST_CENTRE
    return sheet if is_central and _LEAST_AREA < sheet.mean() < 1 else None


def _convex_hull(area: np.ndarray) -> np.ndarray:
    """Return the smallest area without bays and holes around an area, (height, width) bool."""
    points = np.argwhere(area)[:, ::-1]
    picture = Image.new("1", area.shape[::-1])
    ImageDraw.Draw(picture).polygon([tuple(map(int, points[place])) for place in ConvexHull(points).vertices], fill=1)
    return np.asarray(np.asarray(picture) | area)


def _sharpness(steps: np.ndarray, sheet: np.ndarray) -> float:
    """Return which fraction of the change in brightness around most of the edge is next to it: 1 for a step."""
    edge = ndimage.binary_dilation(sheet) & ~sheet
    return float(np.median(steps[edge]))


def _steps(smooth: np.ndarray) -> np.ndarray:
    """Return for each cell which fraction of the change in brightness around it is next to it; 0 where it is small."""
    near, far = (
        ndimage.maximum_filter(smooth, cells) - ndimage.minimum_filter(smooth, cells) for cells in (_NEAR, _FAR)
    )
    return np.where(far > _LEAST_STEP, near / np.maximum(far, 1), 0.0)


def _is_on_table(sheet: np.ndarray) -> bool:
    """Return whether the table fills most of a side of the picture."""
    sides = (sheet[0], sheet[-1], sheet[:, 0], sheet[:, -1])
    return any((~side).mean() > _LEAST_TABLE_SIDE for side in sides)


def _is_crossed(difference: np.ndarray, inside: np.ndarray, outside: np.ndarray) -> bool:
    """Return whether a stroke goes over the edge."""
    strokes, count = ndimage.label(difference > 0.5 * np.quantile(difference[inside], 0.999))
    cells = [np.bincount(strokes[area], minlength=count + 1)[1:] for area in (inside, outside)]
    fewer, total = np.minimum(*cells), np.maximum(np.sum(cells, axis=0), 1)
    return bool(((fewer >= _CROSSING_CELLS) & (fewer / total > _CROSSING_SHARE)).any())
