"""A drawn or photographed digit made into what MNIST's digits are.

MNIST's own way: light on dark, the digit fitted into a 20×20 box with its proportions kept, its centre of mass in the
middle of 28×28. A photograph also has a background that is not even: what is darker than a threshold between ink and
paper is ink.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image
from scipy import ndimage

from ...errors import DataError
from .sources.files import PICTURE_DAMAGE

BOX = 20
SIZE = 28

# Ink must stand out from paper by this share of the grey scale, or there is no digit to be seen.
_LEAST_CONTRAST = 0.1


def read_digit(path: Path) -> np.ndarray:
    """The digit in a picture file.

    Returns:
        (28, 28) uint8, light on dark.

    Raises:
        DataError: no such file, not a picture, or nothing drawn in it.
    """
    try:
        with Image.open(path) as picture:
            grey = _flattened(picture)
    except FileNotFoundError:
        raise DataError(f"{path}: no such file") from None
    except (*PICTURE_DAMAGE, Image.DecompressionBombError) as error:
        raise DataError(f"{path}: not a picture that can be read ({error})") from error
    try:
        return centre_digit(grey)
    except DataError as error:
        raise DataError(f"{path}: {error}") from None


def centre_digit(grey: np.ndarray) -> np.ndarray:
    """A grey picture of one digit, any size, dark on light or light on dark, made into MNIST's form.

    Args:
        grey: (height, width) uint8.

    Returns:
        (28, 28) uint8, light on dark.

    Raises:
        DataError: nothing is drawn in it.
    """
    ink = _ink(grey)
    rows, columns = np.flatnonzero(ink.any(1)), np.flatnonzero(ink.any(0))
    digit = ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    factor = BOX / max(digit.shape)
    height, width = (max(1, round(side * factor)) for side in digit.shape)
    small = np.asarray(Image.fromarray(digit).resize((width, height), Image.Resampling.BOX))
    canvas = np.zeros((SIZE, SIZE), "uint8")
    top, left = (_offset(small.sum(1 - axis), axis_length) for axis, axis_length in enumerate((height, width)))
    canvas[top : top + height, left : left + width] = small
    return canvas


def _flattened(picture: Image.Image) -> np.ndarray:
    """The picture in grey, whatever is transparent shown as paper of the other brightness than the ink."""
    rgba = picture.convert("RGBA")
    grey, alpha = np.asarray(rgba.convert("L")), np.asarray(rgba.getchannel("A"))
    if alpha.min() == 255:
        return grey
    opaque = grey[alpha > 127]
    paper = 0 if opaque.size and opaque.mean() > 127 else 255
    share = alpha / 255
    return np.asarray(grey * share + paper * (1 - share), "uint8")


def _ink(grey: np.ndarray) -> np.ndarray:
    """How much ink each pixel has, 0 to 255 uint8; the edge of the picture is taken for paper."""
    values = grey.astype("float64")
    if values.max() - values.min() < _LEAST_CONTRAST * 255:
        raise DataError("no digit can be seen: the picture is of one brightness")
    edge = np.concatenate([values[0], values[-1], values[:, 0], values[:, -1]])
    if np.median(edge) > (values.min() + values.max()) / 2:
        values = 255 - values
    values -= _shadow(values, values <= _otsu(values))
    threshold = _otsu(values)
    paper, strokes = values[values <= threshold], values[values > threshold]
    # 1.48 times the median deviation is the standard deviation of grain, and does not see the soft edges of strokes.
    grain = 1.48 * float(np.median(np.abs(paper - np.median(paper))))
    floor, full = float(np.median(paper)), float(np.quantile(strokes, 0.9))
    ink = np.clip((values - floor) / (full - floor), 0, 1)
    ink[values - floor < max(4 * grain, 0.02 * (full - floor))] = 0
    return np.asarray(np.round(255 * _without_specks(ink)), "uint8")


def _shadow(values: np.ndarray, paper: np.ndarray) -> np.ndarray:
    """The plane that fits the paper's brightness, its mean taken off: a lamp lights one side more than the other."""
    grid: np.ndarray = np.indices(values.shape)
    rows, columns = grid[0], grid[1]
    terms = np.stack([rows[paper], columns[paper], np.ones(int(paper.sum()))], axis=1)
    solution = np.asarray(np.linalg.lstsq(terms, values[paper], rcond=None)[0])
    plane = np.asarray(solution[0] * rows + solution[1] * columns)
    return np.asarray(plane - plane[paper].mean())


def _without_specks(ink: np.ndarray) -> np.ndarray:
    """The ink without connected spots that hold less than a fiftieth of the largest one's: dust and grain."""
    spots, _ = ndimage.label(ink, structure=np.ones((3, 3)))
    masses = np.bincount(spots.ravel(), weights=ink.ravel())
    kept = masses >= masses.max() / 50
    return np.where(kept[spots], ink, 0.0)


def _otsu(values: np.ndarray) -> float:
    """The threshold at which the variance between the darker and the brighter class is largest (Otsu, 1979)."""
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
    """Where a digit starts on one axis for its centre of mass to fall in the middle, kept inside the picture.

    The middle is the pixel from 14 to 15: in MNIST's own digits the centres lie evenly between these two.
    """
    weights = mass.astype("float64")
    centre = float((weights * (np.arange(length) + 0.5)).sum() / weights.sum())
    return int(np.clip(np.ceil(SIZE / 2 - centre), 0, SIZE - length))
