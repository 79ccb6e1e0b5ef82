"""Converts a drawn or photographed digit to the form of MNIST's digits.

MNIST's digits are light on dark, fitted into a 20×20 box with their proportions kept, with the centre of mass in the
middle of 28×28. A photograph also has uneven lighting: the lighting is subtracted, then a threshold separates ink from
paper.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image
from scipy import ndimage

from ..errors import DataError
from .pictures.picture_file import convert_picture

BOX = 20
SIZE = 28

# Ink and paper must differ by this fraction of the grey scale; otherwise no digit can be seen.
_MIN_CONTRAST = 0.1
# Shadows are looked for on a picture of this many pixels on its longer side, and strokes are narrower than this.
_SHADOW_GRID = 96
_WIDEST_STROKE = 17
# The soft edge of a stroke, and the widths over which paper is smoothed, as fractions of the longer side.
_STROKE_EDGE = 6
_SHADOW_WIDTHS = (0.03, 0.2)
# A fraction of the contrast of ink and paper; below it nothing is corrected.
_FAINTEST_SHADOW = 0.05


def read_digit(path: Path) -> np.ndarray:
    """Read the digit in a picture file.

    Returns:
        (28, 28) uint8, light on dark.

    Raises:
        DataError: the file is missing, is not a picture, or is blank.
    """
    grey = convert_picture(path, _to_grey)
    try:
        return centre_digit(grey)
    except DataError as error:
        raise DataError(f"{path}: {error}") from None


def centre_digit(grey: np.ndarray) -> np.ndarray:
    """Convert a grey picture of one digit to MNIST's form.

    Args:
        grey: (height, width) uint8, any size, dark on light or light on dark.

    Returns:
        (28, 28) uint8, light on dark.

    Raises:
        DataError: the picture is blank.
    """
    ink = _ink_of(grey)
    if not ink.any():
        raise DataError("no digit can be seen: nothing in the picture stands out from its grain")
    rows, columns = np.flatnonzero(ink.any(1)), np.flatnonzero(ink.any(0))
    digit = ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    factor = BOX / max(digit.shape)
    height, width = (max(1, round(side * factor)) for side in digit.shape)
    small = np.asarray(Image.fromarray(digit).resize((width, height), Image.Resampling.BOX))
    canvas = np.zeros((SIZE, SIZE), "uint8")
    top, left = (_offset(small.sum(1 - axis), axis_length) for axis, axis_length in enumerate((height, width)))
    canvas[top : top + height, left : left + width] = small
    return canvas


def _to_grey(picture: Image.Image) -> np.ndarray:
    """Return the picture in grey; transparent areas become paper, dark if the ink is light and light if it is dark."""
    rgba = picture.convert("RGBA")
    grey, alpha = np.asarray(rgba.convert("L")), np.asarray(rgba.getchannel("A"))
    if alpha.min() == 255:
        return grey
    opaque = grey[alpha > 127]
    paper = 0 if opaque.size and opaque.mean() > 127 else 255
    opacity = alpha / 255
    return np.asarray(grey * opacity + paper * (1 - opacity), "uint8")


def _ink_of(grey: np.ndarray) -> np.ndarray:
    """Return the amount of ink in each pixel, 0 to 255 uint8; the edge of the picture is assumed to be paper."""
    values = grey.astype("float64")
    if values.max() - values.min() < _MIN_CONTRAST * 255:
        raise DataError("no digit can be seen: the picture is of one brightness")
    edge = np.concatenate([values[0], values[-1], values[:, 0], values[:, -1]])
    if np.median(edge) > (values.min() + values.max()) / 2:
        values = 255 - values
    values -= _illumination_plane(values, values <= _otsu(values))
    values -= _shadows(values)
    threshold = _otsu(values)
    paper, strokes = values[values <= threshold], values[values > threshold]
    # 1.48 × the median absolute deviation estimates the grain's standard deviation; soft stroke edges do not affect it.
    grain = 1.48 * float(np.median(np.abs(paper - np.median(paper))))
    floor, full = float(np.median(paper)), float(np.quantile(strokes, 0.9))
    ink = np.clip((values - floor) / (full - floor), 0, 1)
    ink[values - floor < max(4 * grain, 0.02 * (full - floor))] = 0
    return np.asarray(np.round(255 * _remove_specks(ink)), "uint8")


def _illumination_plane(values: np.ndarray, paper: np.ndarray) -> np.ndarray:
    """Fit a plane to the paper's brightness and remove its mean: a lamp lights one side more than the other."""
    grid: np.ndarray = np.indices(values.shape)
    rows, columns = grid[0], grid[1]
    terms = np.stack([rows[paper], columns[paper], np.ones(int(paper.sum()))], axis=1)
    solution = np.asarray(np.linalg.lstsq(terms, values[paper], rcond=None)[0])
    plane = np.asarray(solution[0] * rows + solution[1] * columns)
    return np.asarray(plane - plane[paper].mean())


def _shadows(values: np.ndarray) -> np.ndarray:
    """Return the paper's brightness less its median: a hand or a phone casts a soft shadow.

    Under the strokes the paper around them counts, by its distance (normalised convolution: Knutsson and Westin, 1993),
    and where no paper is near, paper farther away. Paper that is evenly lit is left as it is.

    Args:
        values: (height, width), ink brighter than paper.
    """
    shape = tuple(max(1, round(side * _SHADOW_GRID / max(values.shape))) for side in values.shape)
    paper = _paper_of(values, shape)
    near_ink = ndimage.binary_dilation(_resized(paper.astype("float64"), shape) < 1, iterations=_STROKE_EDGE)
    clear = (~near_ink).astype("float64")
    background = _smoothed(_resized(values, shape) * clear) / np.maximum(_smoothed(clear), 1e-9)
    low, high = np.quantile(background[~near_ink], (0.05, 0.95)) if clear.any() else (0.0, 0.0)
    if high - low < _FAINTEST_SHADOW * (values.max() - low):
        return np.zeros(values.shape)
    return np.asarray(_resized(background - np.median(background), values.shape))


def _paper_of(values: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Return which pixels are paper, also in a shadow that is as dark as a stroke.

    A morphological opening removes what is narrower than its window, the strokes, and keeps what is wider (Serra,
    1982).
    """
    opened = ndimage.grey_opening(_resized(values, shape), _WIDEST_STROKE, mode="nearest")
    levelled = values - _resized(ndimage.gaussian_filter(opened, _WIDEST_STROKE / 4, mode="nearest"), values.shape)
    return np.asarray(levelled <= _otsu(levelled))


def _smoothed(values: np.ndarray) -> np.ndarray:
    """Return values smoothed by a narrow window, and by a wide one that hardly counts beside it."""
    narrow, wide = (ndimage.gaussian_filter(values, width * _SHADOW_GRID, mode="nearest") for width in _SHADOW_WIDTHS)
    return np.asarray(narrow + 1e-3 * wide)


def _resized(values: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Return values (height, width) in another shape: averaged where it is smaller, between neighbours where larger."""
    filtering = Image.Resampling.BOX if shape < values.shape else Image.Resampling.BILINEAR
    return np.asarray(Image.fromarray(values.astype("float32")).resize((shape[1], shape[0]), filtering), "float64")


def _remove_specks(ink: np.ndarray) -> np.ndarray:
    """Remove dust and grain: connected spots with less than a fiftieth of the largest spot's ink."""
    spots, _ = ndimage.label(ink, structure=np.ones((3, 3)))
    masses = np.bincount(spots.ravel(), weights=ink.ravel())
    is_stroke = masses >= masses.max() / 50
    return np.where(is_stroke[spots], ink, 0.0)


def _otsu(values: np.ndarray) -> float:
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


def _offset(mass: np.ndarray, length: int) -> int:
    """Return the start of a digit on one axis that puts its centre of mass in the middle, clipped to the picture.

    The middle is the pixel from 14 to 15: the centres of MNIST's own digits are spread evenly over it.
    """
    weights = mass.astype("float64")
    centre = float((weights * (np.arange(length) + 0.5)).sum() / weights.sum())
    return int(np.clip(np.ceil(SIZE / 2 - centre), 0, SIZE - length))
