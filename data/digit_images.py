"""Converts drawn or photographed digits to the form of MNIST's digits.

MNIST's digits are light on dark, fitted into a 20×20 box with their proportions kept, with the centre of mass in the
middle of 28×28. A photograph also has a table around the sheet, uneven lighting, lines on the paper, and grain. They
are removed; then the strokes that belong together are digits.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from PIL import Image
from scipy import ndimage

from ..errors import DataError
from .photographs.grids import grid_shape, otsu, resized
from .photographs.lighting import without_lighting
from .photographs.marks import Mark, holes_in, marks_of
from .photographs.ruled_lines import without_lines
from .photographs.sheet import sheet_of
from .pictures.picture_file import convert_picture, read_header

BOX = 20
SIZE = 28

# Ink and paper must differ by this fraction of the grey scale; otherwise no digit can be seen.
_MIN_CONTRAST = 0.1
# Larger pictures are averaged until their longer side has so many pixels.
_LARGEST_SIDE = 1_200
# More marks than this are a text or a pattern.
_MOST_DIGITS = 20
# An 8 has two holes, and a hasty one a third.
_MOST_HOLES = 3
# Grain of more than this fraction of full ink is smoothed, by windows of up to so many pixels.
_STRONG_GRAIN = 0.06
_SMOOTHING = (1, 2, 3)


@dataclass(frozen=True)
class Digit:
    """A digit on a picture.

    Attributes:
        pixels: (28, 28) uint8, light on dark.
        box: left, top, right and bottom on the picture as it is seen, in pixels; right and bottom are outside it.
    """

    pixels: np.ndarray
    box: tuple[int, ...]


def read_digits(path: Path) -> list[Digit]:
    """Read the digits in a picture file, from left to right, row by row.

    Raises:
        DataError: the file is missing, is not a picture, or no digit can be seen in it.
    """
    grey, header = convert_picture(path, _to_grey, _LARGEST_SIDE), read_header(path)
    try:
        digits = find_digits(grey)
    except DataError as error:
        raise DataError(f"{path}: {error}") from None
    scale = max(header.height, header.width) / max(grey.shape)
    return [replace(digit, box=tuple(round(scale * side) for side in digit.box)) for digit in digits]


def read_pixels(path: Path) -> np.ndarray:
    """Read the digits in a picture file as (n, 28, 28) uint8, light on dark; see `read_digits`."""
    return pixels_of(read_digits(path))


def pixels_of(digits: list[Digit]) -> np.ndarray:
    """Return digits as an array, (n, 28, 28) uint8."""
    return np.stack([digit.pixels for digit in digits])


def find_digits(grey: np.ndarray) -> list[Digit]:
    """Find the digits in a grey picture, from left to right, row by row.

    Args:
        grey: (height, width) uint8, any size, dark on light or light on dark.

    Raises:
        DataError: the picture is blank, or there is more in it than a few digits.
    """
    scale = max(1.0, max(grey.shape) / _LARGEST_SIDE)
    values = resized(grey, grid_shape(grey.shape, _LARGEST_SIDE)) if scale > 1 else grey.astype("float64")
    ink, on_sheet, (top, left) = _ink_of(values)
    strokes, marks = marks_of(ink, on_sheet)
    if not marks:
        raise DataError("no digit can be seen: nothing in the picture stands out from its grain")
    if len(marks) > _MOST_DIGITS:
        raise DataError(
            f"{len(marks)} marks can be seen, expected a digit, or up to {_MOST_DIGITS}: cut out the part with the "
            "digits, or photograph them on plain paper"
        )
    cut_out = [_cut_out(ink, strokes, mark) for mark in marks]
    if any(holes_in(digit) > _MOST_HOLES for digit in cut_out):
        raise DataError(
            "no digit can be told from what is around it, such as lines, a pattern or the edge of the sheet: "
            "photograph it from nearer, on plain paper that fills the picture"
        )
    boxes = [_box_of(mark, top, left, scale, grey.shape) for mark in marks]
    return [Digit(_in_mnists_form(digit), box) for digit, box in zip(cut_out, boxes, strict=True)]


def centre_digit(grey: np.ndarray) -> np.ndarray:
    """Convert a grey picture of one digit to MNIST's form.

    Args:
        grey: (height, width) uint8, any size, dark on light or light on dark.

    Returns:
        (28, 28) uint8, light on dark.

    Raises:
        DataError: the picture is blank, or there is more than one digit in it.
    """
    digits = find_digits(grey)
    if len(digits) > 1:
        raise DataError(f"{len(digits)} digits can be seen, expected one: cut it out")
    return digits[0].pixels


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


def _ink_of(values: np.ndarray) -> tuple[np.ndarray, np.ndarray, tuple[int, int]]:
    """Return the ink in each pixel of the sheet's part, 0 to 1, those on the sheet, and its first row and column."""
    if values.max() - values.min() < _MIN_CONTRAST * 255:
        raise DataError("no digit can be seen: the picture is of one brightness")
    values, on_sheet, start = _cut_to_sheet(values)
    ink, grain = _scaled(without_lighting(values), on_sheet)
    for width in _SMOOTHING:
        if grain > _STRONG_GRAIN:
            ink, grain = _scaled(without_lighting(ndimage.gaussian_filter(values, width)), on_sheet)
    ink, grain = _scaled(without_lines(ink, on_sheet), on_sheet)
    ink = np.where(on_sheet & (ink >= max(4 * grain, 0.02)), ink.clip(0, 1), 0.0)
    return ink, on_sheet, start


def _cut_to_sheet(values: np.ndarray) -> tuple[np.ndarray, np.ndarray, tuple[int, int]]:
    """Return the part of a picture with the sheet, which of its pixels are on it, and its first row and column.

    Pixels outside the sheet get the brightness of the paper that is next to them.
    """
    on_sheet = sheet_of(values)
    if on_sheet is None:
        return values, np.ones(values.shape, bool), (0, 0)
    (rows, columns), *_ = ndimage.find_objects(on_sheet.astype("uint8"))
    values, on_sheet = values[rows, columns], on_sheet[rows, columns]
    nearest = ndimage.distance_transform_edt(~on_sheet, return_distances=False, return_indices=True)
    smooth = ndimage.gaussian_filter(values, 2)
    return np.where(on_sheet, values, smooth[tuple(nearest)]), on_sheet, (rows.start, columns.start)


def _scaled(differences: np.ndarray, on_sheet: np.ndarray) -> tuple[np.ndarray, float]:
    """Return ink from 0 on paper to 1 on strokes, and the standard deviation of the paper's grain on that scale."""
    known = differences[on_sheet]
    threshold = otsu(known)
    paper, strokes = known[known <= threshold], known[known > threshold]
    if not paper.size or not strokes.size:
        return np.zeros(differences.shape), 0.0
    floor, full = float(np.median(paper)), float(np.quantile(strokes, 0.9))
    # 1.48 × the median absolute deviation estimates the grain's standard deviation; soft stroke edges do not affect it.
    grain = 1.48 * float(np.median(np.abs(paper - floor)))
    return np.asarray((differences - floor) / (full - floor)), grain / (full - floor)


def _cut_out(ink: np.ndarray, strokes: np.ndarray, mark: Mark) -> np.ndarray:
    """Return the ink of a mark alone, (height, width) uint8."""
    box = slice(mark.top, mark.bottom), slice(mark.left, mark.right)
    digit = np.where(np.isin(strokes[box], mark.strokes), ink[box], 0.0)
    return np.asarray(np.round(255 * digit), "uint8")


def _box_of(mark: Mark, top: int, left: int, scale: float, shape: tuple[int, ...]) -> tuple[int, int, int, int]:
    """Return the box of a mark on the whole picture: left, top, right, bottom."""
    height, width = shape
    rows = (round((top + row) * scale) for row in (mark.top, mark.bottom))
    columns = (round((left + column) * scale) for column in (mark.left, mark.right))
    (first_row, last_row), (first_column, last_column) = rows, columns
    return first_column, first_row, min(last_column, width), min(last_row, height)


def _in_mnists_form(digit: np.ndarray) -> np.ndarray:
    """Return a digit (height, width) uint8, light on dark and cut to its box, as (28, 28)."""
    factor = BOX / max(digit.shape)
    height, width = (max(1, round(side * factor)) for side in digit.shape)
    small = np.asarray(Image.fromarray(digit).resize((width, height), Image.Resampling.BOX))
    canvas = np.zeros((SIZE, SIZE), "uint8")
    top, left = (_offset(small.sum(1 - axis), axis_length) for axis, axis_length in enumerate((height, width)))
    canvas[top : top + height, left : left + width] = small
    return canvas


def _offset(mass: np.ndarray, length: int) -> int:
    """Return the start of a digit on one axis that puts its centre of mass in the middle, clipped to the picture.

    The middle is the pixel from 14 to 15: the centres of MNIST's own digits are spread evenly over it.
    """
    weights = mass.astype("float64")
    centre = float((weights * (np.arange(length) + 0.5)).sum() / weights.sum())
    return int(np.clip(np.ceil(SIZE / 2 - centre), 0, SIZE - length))
