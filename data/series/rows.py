"""The rows of time series, before they are cut into windows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class SeriesRows:
    """The rows of one or several series. Those of a series stand together, in the order of time.

    Attributes:
        values: (rows, columns) float64.
        columns: the names of the columns.
        names: of the series; a single one without a key is called "".
        bounds: (series + 1,) int64; the rows of series i are `bounds[i]` up to, not including, `bounds[i + 1]`.
        times: (rows,) numbers or datetime64; None where no column says the time.
    """

    values: np.ndarray
    columns: tuple[str, ...]
    names: tuple[str, ...]
    bounds: np.ndarray
    times: np.ndarray | None = None

    @property
    def lengths(self) -> np.ndarray:
        """The number of rows of each series, (series,) int64."""
        return np.diff(self.bounds)

    def series_of(self, rows: np.ndarray) -> np.ndarray:
        """Return the number of the series that each row belongs to."""
        return np.searchsorted(self.bounds, rows, side="right") - 1

    def time_of(self, row: int) -> Any:
        """Return the time of a row as JSON: a number, or a date as text.

        Without a column of times it is the place of the row in its series, counted from 1.
        """
        if self.times is None:
            return int(row - self.bounds[self.series_of(np.array(row))]) + 1
        return _to_json(self.times[row])

    def named(self, number: int) -> str:
        """Return the words for a series in a sentence."""
        return f"the series {self.names[number]}" if self.names[number] else "the series"


def _to_json(time: Any) -> Any:
    if not isinstance(time, np.datetime64):
        return time.item()
    text = np.datetime_as_string(time.astype("datetime64[us]"))
    date, _, clock = str(text).partition("T")
    clock = clock.removesuffix(".000000")
    return date if clock == "00:00:00" else f"{date} {clock}"
