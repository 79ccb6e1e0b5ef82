"""Removes the lines of lined and squared paper: parallel, much longer than a digit is wide, and thin.

A picture is sheared until the lines of one direction lie along its rows. A row of which most is dark is a line; strokes
are dark in parts of a row only. Where a line crosses a stroke, ink above and below it is joined.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .grids import grid_shape, resized

# The slopes that are tried, of a sheet that was not held quite straight: first on a small grid.
_STEEPEST = 0.22
_GRID = 240
_FINE_STEPS = 6
# A line is dark in this fraction of its row, differs from paper by this fraction of what ink does, or by several
# standard deviations of the rows without lines; its rows are those with a part of its darkness.
_DARK_SHARE = 0.7
_FAINTEST = 0.06
_DEVIATIONS = 5
_LINE_EDGE = 0.2
# So many lines are in a direction at least, each thinner than this fraction of the longer side.
_FEWEST = 3
_THICKEST = 0.02
# A row is judged if this fraction of it is on the sheet.
_LEAST_ROW = 0.25
# Ink on a line is darker than the line by this fraction of what ink differs from paper.
_INK_OVER_LINE = 0.3


def without_lines(ink: np.ndarray, on_sheet: np.ndarray) -> np.ndarray:
    """Return the ink without the lines of the paper; without lines it is returned as it is.

    Args:
        ink: (height, width) float64, 0 on paper and about 1 on strokes.
        on_sheet: (height, width) bool.
    """
    ink = _without_rows(ink, on_sheet)
    return np.ascontiguousarray(_without_rows(ink.T, on_sheet.T).T)


@dataclass(frozen=True)
class _Rows:
    """The rows of a sheared picture.

    Attributes:
        darkness: (height,) what most of a row exceeds, less that of paper.
        spread: its standard deviation in rows without lines.
        level: (height,) the median of each row.
    """

    darkness: np.ndarray
    spread: float
    level: np.ndarray

    def lines(self) -> list[tuple[int, int]]:
        """Return the first row of each line, and the one after its last."""
        faintest = max(_FAINTEST, _DEVIATIONS * self.spread)
        peaks = np.flatnonzero(self.darkness > faintest)
        lines: list[tuple[int, int]] = []
        for row in peaks:
            if lines and row < lines[-1][1]:
                continue
            least = _LINE_EDGE * self.darkness[row : row + 3].max()
            start, stop = row, row + 1
            while start > 0 and self.darkness[start - 1] > least:
                start -= 1
            while stop < len(self.darkness) and self.darkness[stop] > least:
                stop += 1
            lines.append((int(start), int(stop)))
        return lines

    @property
    def sharpness(self) -> float:
        """How clearly rows are lines or paper."""
        return float(np.square(np.maximum(self.darkness, 0)).sum())


def _without_rows(ink: np.ndarray, on_sheet: np.ndarray) -> np.ndarray:
    shape = grid_shape(ink.shape, _GRID) if max(ink.shape) > _GRID else ink.shape
    cells, valid = resized(ink, shape), resized(on_sheet.astype("float64"), shape) > 0.99
    slopes = np.arange(-_STEEPEST, _STEEPEST, 1 / shape[1])
    slope = float(max(slopes, key=lambda slope: _rows(cells, valid, slope).sharpness))
    if not _are_lines(_rows(cells, valid, slope).lines(), shape):
        return ink
    columns = slice(None, None, max(1, ink.shape[1] // _GRID))
    fine = slope + np.linspace(-1, 1, 2 * _FINE_STEPS + 1) / shape[1]
    slope = float(max(fine, key=lambda slope: _rows(ink, on_sheet, slope, columns).sharpness))
    rows = _rows(ink, on_sheet, slope)
    lines = rows.lines()
    if not _are_lines(lines, ink.shape):
        return ink
    cleaned = ink.copy()
    for start, stop in lines:
        _join_over(ink, cleaned, slope, (start - 1, stop + 1), float(rows.level[start:stop].max()))
    return cleaned


def _are_lines(lines: list[tuple[int, int]], shape: tuple[int, ...]) -> bool:
    thickest = max(3.0, _THICKEST * max(shape))
    return len(lines) >= _FEWEST and float(np.median([stop - start for start, stop in lines])) <= thickest


def _rows(ink: np.ndarray, valid: np.ndarray, slope: float, columns: slice = slice(None)) -> _Rows:
    """Return the rows of a picture sheared by a slope: of the pixels that are on the sheet, and in some columns."""
    shifts = _shifts(ink.shape[1], slope)[columns]
    ink, valid = ink[:, columns], valid[:, columns]
    height, width = ink.shape
    rows = np.arange(height)[:, None] + shifts
    inside = (rows >= 0) & (rows < height)
    rows = rows.clip(0, height - 1)
    values = np.take_along_axis(ink, rows, axis=0)
    values[~(inside & np.take_along_axis(valid, rows, axis=0))] = np.inf
    values.sort(axis=1)
    counts = np.isfinite(values).sum(axis=1)
    everywhere = np.arange(height)
    darkness = values[everywhere, ((1 - _DARK_SHARE) * counts).astype(int).clip(0, width - 1)]
    level = values[everywhere, (counts // 2).clip(0, width - 1)]
    judged = counts > _LEAST_ROW * width
    paper = float(np.median(darkness[judged])) if judged.any() else 0.0
    darkness = np.where(judged, darkness - paper, 0.0)
    spread = 1.48 * float(np.median(np.abs(darkness[judged]))) if judged.any() else 0.0
    return _Rows(darkness, spread, np.where(judged, level, 0.0))


def _shifts(width: int, slope: float) -> np.ndarray:
    """Return by how many rows each column lies lower than the middle one."""
    return np.asarray(np.rint(slope * (np.arange(width) - width / 2)), int)


def _join_over(ink: np.ndarray, cleaned: np.ndarray, slope: float, line: tuple[int, int], level: float) -> None:
    """Remove a line, and join the ink on both sides of it."""
    height, width = ink.shape
    columns, shifts = np.arange(width), _shifts(width, slope)
    above, below = ((row + shifts).clip(0, height - 1) for row in (line[0] - 1, line[1]))
    joined = np.minimum(ink[above, columns], ink[below, columns])
    for row in range(*line):
        rows = row + shifts
        inside = (rows >= 0) & (rows < height)
        places = rows[inside], columns[inside]
        values = ink[places]
        cleaned[places] = np.where(values > level + _INK_OVER_LINE, values, np.minimum(values, joined[inside]))
