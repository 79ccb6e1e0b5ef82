"""Cuts the rows of time series into samples, and divides them by time.

The rows are divided first, and windows are cut inside each part: so no window has rows of two parts or of two series,
and nothing that is validated or tested on, input or target, was seen in the training.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from ...errors import DataError
from .rows import SeriesRows

_MOST_NAMED = 5


@dataclass(frozen=True)
class Windowing:
    """How rows are cut into samples.

    Attributes:
        window: the number of rows of an input.
        horizon: the number of rows after it that are predicted.
        stride: the number of rows from the beginning of one window to that of the next.
    """

    window: int
    horizon: int = 1
    stride: int = 1

    @property
    def span(self) -> int:
        """The number of rows that a window and its targets take together."""
        return self.window + self.horizon

    def starts(self, first: int, end: int) -> np.ndarray:
        """Return the first row of each window in the rows from `first` up to, not including, `end`."""
        return np.arange(first, end - self.span + 1, self.stride)

    def inputs(self, values: np.ndarray, starts: np.ndarray) -> np.ndarray:
        """Return the inputs (windows, window, columns) that begin at these rows of the values (rows, columns)."""
        return np.asarray(values[starts[:, None] + np.arange(self.window)])

    def targets(self, values: np.ndarray, starts: np.ndarray) -> np.ndarray:
        """Return the targets of the windows that begin at these rows of the values (rows, targets).

        Returns:
            (windows, horizon, targets), without an axis of length 1 for the horizon or the targets.
        """
        targets = values[starts[:, None] + self.window + np.arange(self.horizon)]
        targets = targets[..., 0] if targets.shape[-1] == 1 else targets
        return np.asarray(targets[:, 0] if self.horizon == 1 else targets)


@dataclass(frozen=True)
class SeriesWindows:
    """The series that a dataset was cut from, and how.

    Attributes:
        rows: of all series.
        windowing: how they are cut.
        targets: the names of the columns that are predicted; as inputs, their past is there too.
        test_rows: (series,) int64: how many rows at the end of each series are its test part.
        key, time: the names of the columns that tell the series apart, and the time; empty where there is none.
    """

    rows: SeriesRows
    windowing: Windowing
    targets: tuple[str, ...]
    test_rows: np.ndarray
    key: str = ""
    time: str = ""

    @cached_property
    def train_starts(self) -> np.ndarray:
        """The first row of each training window, in the order of the training samples."""
        return self._starts(self.rows.bounds[:-1], self.test_begins)

    @cached_property
    def test_starts(self) -> np.ndarray:
        """The first row of each test window, in the order of the test samples."""
        return self._starts(self.test_begins, self.rows.bounds[1:])

    def samples(self, starts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the inputs (windows, window, columns) and the targets of the windows that begin at these rows.

        Raises:
            DataError: they do not fit into the memory.
        """
        values = self.rows.values
        try:
            x = self.windowing.inputs(values, starts)
            return x, self.windowing.targets(values[:, self.target_places], starts)
        except MemoryError:
            size = len(starts) * self.windowing.window * values.shape[1] * values.itemsize / 2**30
            raise DataError(
                f"{len(starts):,} windows take {size:.1f} GiB of memory: a larger stride makes fewer"
            ) from None

    def last_part(self, share: float) -> tuple[np.ndarray, np.ndarray]:
        """Return the training windows before the last share of the training rows of each series, and those in it.

        Windows with rows on both sides are in neither.

        Returns:
            Two arrays of indices into the training samples, both ascending.
        """
        ends = self.test_begins
        lengths = ends - self.rows.bounds[:-1]
        cuts = (ends - share_of_rows(lengths, share))[self.rows.series_of(self.train_starts)]
        before = self.train_starts + self.windowing.span <= cuts
        return np.flatnonzero(before), np.flatnonzero(self.train_starts >= cuts)

    def part_bounds(self, number: int) -> tuple[int, int, int]:
        """Return the first row of a series, the first of its test part, and the row after its last."""
        first, end = map(int, self.rows.bounds[number : number + 2])
        return first, end - int(self.test_rows[number]), end

    def describe(self) -> dict[str, Any]:
        """Return the record of the series that is stored with a run: all that is needed to read further ones alike."""
        return {
            "window": self.windowing.window,
            "horizon": self.windowing.horizon,
            "stride": self.windowing.stride,
            "target": list(self.targets),
            "columns": list(self.rows.columns),
            **({"key": self.key} if self.key else {}),
            **({"time": self.time} if self.time else {}),
            "count": len(self.rows.names),
        }

    def warnings(self) -> list[str]:
        """Return a sentence for what a person should know: series without a window in a part, uneven time steps."""
        parts = (("training", self.train_starts), ("test", self.test_starts if self.test_rows.any() else None))
        shorts = [_too_short(self.rows, name, starts, self.windowing.span) for name, starts in parts]
        return [sentence for sentence in (*shorts, _uneven_steps(self.rows)) if sentence]

    @property
    def target_places(self) -> list[int]:
        """The places of the targets among the columns."""
        return [self.rows.columns.index(name) for name in self.targets]

    @property
    def test_begins(self) -> np.ndarray:
        """(series,) the first row of the test part of each series."""
        return np.asarray(self.rows.bounds[1:] - self.test_rows)

    def _starts(self, firsts: np.ndarray, ends: np.ndarray) -> np.ndarray:
        return np.concatenate([self.windowing.starts(*pair) for pair in zip(firsts, ends, strict=True)])


def share_of_rows(lengths: np.ndarray, share: float) -> np.ndarray:
    """Return how many rows are a share of each series, rounded to whole rows."""
    return np.asarray(np.round(lengths * share), "int64")


def _too_short(rows: SeriesRows, part: str, starts: np.ndarray | None, span: int) -> str:
    if starts is None:
        return ""
    short = sorted(set(range(len(rows.names))) - set(rows.series_of(starts).tolist()))
    if not short:
        return ""
    names = ", ".join(rows.names[number] for number in short[:_MOST_NAMED]) + ", …" * (len(short) > _MOST_NAMED)
    count = f"{len(short)} of {len(rows.names)} series"
    return f"{count} have fewer than {span} rows in the {part} part, so no window: {names}."


def _uneven_steps(rows: SeriesRows) -> str:
    """Return a sentence if the time does not always advance by as much; windows count rows."""
    if rows.times is None:
        return ""
    inside = np.delete(np.diff(rows.times), rows.bounds[1:-1] - 1)
    if not len(inside) or inside.min() == inside.max():
        return ""
    low, high = (_step_to_text(step) for step in (inside.min(), inside.max()))
    return f"The steps of time vary from {low} to {high}: a window counts rows, not time."


def _step_to_text(step: Any) -> str:
    if not isinstance(step, np.timedelta64):
        return f"{step:g}"
    seconds = float(step / np.timedelta64(1, "s"))
    for name, length in (("day", 86_400), ("hour", 3_600), ("minute", 60)):
        if seconds >= length:
            return f"{seconds / length:g} {name}{'s' * (seconds != length)}"
    return f"{seconds:g} seconds"
