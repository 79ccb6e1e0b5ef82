"""A drawn or photographed digit made into what MNIST's digits are.

MNIST's own way: light on dark, the digit fitted into a 20×20 box with its proportions kept, its centre of mass in the
middle of 28×28. A photograph also has a background that is not even: what is darker than a threshold between ink and
paper is ink.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from ..errors import DataError

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
    except (UnidentifiedImageError, OSError, SyntaxError, Image.DecompressionBombError) as error:
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
    edge = np.concatenate([values[0], values[-1], values[:, 0], values[:, -1]])
    if np.median(edge) > (values.min() + values.max()) / 2:
        values = 255 - values
    threshold, low, high = _otsu(values)
    if high - low < _LEAST_CONTRAST * 255:
        raise DataError("no digit can be seen: the picture is of one brightness")
    # Between paper and the threshold everything is paper; above it the soft edges of a stroke stay soft.
    ink = np.clip((values - threshold) / max(high - threshold, 1e-9), 0, 1)
    soft = np.where(values > threshold, 0.5 + 0.5 * ink, 0.0)
    return np.asarray(np.round(255 * soft), "uint8")


def _otsu(values: np.ndarray) -> tuple[float, float, float]:
    """The threshold where the variance between two classes is largest (Otsu, 1979), and the two classes' means."""
    counts = np.bincount(np.round(values).astype(int).ravel(), minlength=256).astype("float64")
    levels = np.arange(256)
    below = np.cumsum(counts)
    above = counts.sum() - below
    sum_below = np.cumsum(counts * levels)
    total = sum_below[-1]
    with np.errstate(divide="ignore", invalid="ignore"):
        low, high = sum_below / below, (total - sum_below) / above
        variance = np.nan_to_num(below * above * (high - low) ** 2)
    best = int(variance.argmax())
    return float(best), float(np.nan_to_num(low[best])), float(np.nan_to_num(high[best]))


def _offset(mass: np.ndarray, length: int) -> int:
    """Where a digit starts on one axis for its centre of mass to fall in the middle, kept inside the picture."""
    weights = mass.astype("float64")
    centre = float((weights * (np.arange(length) + 0.5)).sum() / weights.sum())
    return int(np.clip(round(SIZE / 2 - centre), 0, SIZE - length))
