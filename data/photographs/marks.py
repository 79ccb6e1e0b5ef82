"""Divides the ink of a photograph into digits: strokes that belong together, from left to right, row by row."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from ...errors import DataError

# Fractions. A stroke with less of the largest stroke's ink is dust. Of the height of the highest stroke: lower ones are
# parts of a digit, and belong to one that is so near; higher ones are whole digits. Strokes that overlap by more of the
# narrower one's width are above each other.
_DUST = 1 / 50
_LEAST_HEIGHT = 0.4
_WHOLE_HEIGHT = 0.75
_NEAR = 0.25
_OVERLAP = 0.5
# A hole in a stroke fills this fraction of the mark's box.
_LEAST_HOLE = 0.002
# A stroke is solid where it has this fraction of full ink.
_SOLID = 0.35


@dataclass(frozen=True)
class Mark:
    """A digit on a picture.

    Attributes:
        top, left, bottom, right: its box in pixels; bottom and right are outside it.
        strokes: the numbers of the connected strokes it consists of.
    """

    top: int
    left: int
    bottom: int
    right: int
    strokes: tuple[int, ...]

    @property
    def height(self) -> int:
        return self.bottom - self.top

    @property
    def width(self) -> int:
        return self.right - self.left

    def joined(self, other: Mark) -> Mark:
        """Return the mark of both's strokes."""
        top, left = min(self.top, other.top), min(self.left, other.left)
        bottom, right = max(self.bottom, other.bottom), max(self.right, other.right)
        return Mark(top, left, bottom, right, self.strokes + other.strokes)

    def gaps(self, other: Mark) -> tuple[int, int]:
        """Return the rows and the columns between two marks; less than 0 where they overlap."""
        rows = max(self.top, other.top) - min(self.bottom, other.bottom)
        columns = max(self.left, other.left) - min(self.right, other.right)
        return rows, columns


def marks_of(ink: np.ndarray, on_sheet: np.ndarray) -> tuple[np.ndarray, list[Mark]]:
    """Find the digits in a picture of ink.

    Args:
        ink: (height, width), 0 on paper and up to 1 on strokes.
        on_sheet: (height, width) bool, which pixels are on the sheet.

    Returns:
        (height, width) the number of the stroke that each pixel belongs to, 0 on paper; and the digits, from left to
        right, row by row.

    Raises:
        DataError: the edge of the sheet, which is in the picture, seems to cut the largest stroke.
    """
    strokes, count = ndimage.label(ink, structure=np.ones((3, 3)))
    if not count:
        return strokes, []
    numbers = np.arange(1, count + 1)
    masses = np.asarray(ndimage.sum_labels(ink, strokes, numbers))
    solid = np.asarray(ndimage.maximum(ink, strokes, numbers)) > _SOLID
    near_edge = ~ndimage.binary_erosion(on_sheet)
    cut = np.asarray(ndimage.maximum(near_edge, strokes, numbers)) > 0
    whole = solid & ~cut
    largest_whole = masses[whole].max() if whole.any() else 0.0
    needed = _DUST * masses.max() if on_sheet.all() else masses[solid].max(initial=0.0)
    if whole.any() and largest_whole >= needed:
        solid = whole
    elif solid.any() and not on_sheet.all():
        raise DataError(
            "the digit cannot be told from the edge of the sheet: photograph it from nearer, so that paper fills the "
            "picture"
        )
    clean = solid & (masses >= masses[solid].max() * _DUST) if solid.any() else solid
    marks = [
        Mark(rows.start, columns.start, rows.stop, columns.stop, (number + 1,))
        for number, (rows, columns) in enumerate(ndimage.find_objects(strokes))
        if clean[number]
    ]
    return strokes, _in_reading_order(_grouped(marks))


def _grouped(marks: list[Mark]) -> list[Mark]:
    """Join the strokes of a digit: those above each other, and small ones that are near."""
    if not marks:
        return []
    highest = max(mark.height for mark in marks)
    joined = True
    while joined:
        joined = False
        for one in marks:
            partner = min(
                (other for other in marks if other is not one and _belong_together(one, other, highest)),
                key=lambda other: max(one.gaps(other)),
                default=None,
            )
            if partner:
                marks = [mark for mark in marks if mark is not one and mark is not partner] + [one.joined(partner)]
                joined = True
                break
    return [mark for mark in marks if max(mark.height, mark.width) >= _LEAST_HEIGHT * highest]


def _belong_together(one: Mark, other: Mark, highest: int) -> bool:
    rows, columns = one.gaps(other)
    smaller = min(one, other, key=lambda mark: mark.height)
    is_whole = smaller.height > _WHOLE_HEIGHT * highest
    is_above = not is_whole and -columns >= _OVERLAP * min(one.width, other.width) and rows <= _NEAR * highest
    is_part = smaller.height < _LEAST_HEIGHT * highest and max(rows, columns) <= _NEAR * highest / 2
    return max(rows, columns) < 0 or is_above or is_part


def _in_reading_order(marks: list[Mark]) -> list[Mark]:
    """Return marks from left to right, row by row: of a row are marks whose middle is beside its first one."""
    ordered: list[Mark] = []
    rest = sorted(marks, key=lambda mark: mark.top)
    while rest:
        first = rest[0]
        row = [mark for mark in rest if first.top <= (mark.top + mark.bottom) / 2 <= first.bottom]
        ordered += sorted(row, key=lambda mark: mark.left)
        rest = [mark for mark in rest if mark not in row]
    return ordered


def holes_in(ink: np.ndarray) -> int:
    """Return how many areas of paper are enclosed by a mark, (height, width); single pixels of grain do not count."""
    paper, count = ndimage.label(np.pad(ink < _SOLID * ink.max(), 1, constant_values=True))
    sizes = np.bincount(paper.ravel(), minlength=count + 1)[1:]
    return int((sizes >= max(2, _LEAST_HOLE * ink.size)).sum()) - 1
