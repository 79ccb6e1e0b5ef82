"""The table as numbers: one per cell, so that all sources look alike.

A number stays as it is; a word becomes its place among the words of its column, a date the days since 1970, true and
false 1 and 0, and a gap NaN. `preprocessing.table_columns` prepares these numbers for a network.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from ...errors import DataError
from ..columns import BOOLEAN, DATE, NUMBER, UNKNOWN, WORDS, Column
from . import frames
from .dates import date_form, parse_dates, to_days
from .survey import is_text
from .text_cells import TRUTH, row_of, without_gaps

if TYPE_CHECKING:
    import polars


@dataclass(frozen=True)
class Origin:
    """Where cells come from.

    Attributes:
        name: of the table, for messages.
        start: the number of its rows before these.
        date_forms: the form of the dates in a column of text, where it is known; other cells must have one themselves.
    """

    name: str
    start: int = 0
    date_forms: Mapping[str, str] = field(default_factory=dict)

    def place(self, series: polars.Series, cell: object) -> str:
        """Return the place of a cell, for a message."""
        return f"{self.name}: row {self.start + row_of(series, cell) + 1} of {frames.titled(series.name)}"


def encode(frame: polars.DataFrame, columns: Sequence[Column], origin: str | Origin) -> np.ndarray:
    """Return the columns of these names as numbers, in this order, whatever else the frame has.

    Args:
        frame: some or all rows of a table.
        columns: of the table.
        origin: the table; a name for all of its rows.

    Returns:
        (rows, columns) float64; NaN for a gap, `UNKNOWN` for a word that the column does not have.

    Raises:
        DataError: a column is missing, or a cell is not of its kind.
    """
    origin = Origin(origin) if isinstance(origin, str) else origin
    if missing := [column.name for column in columns if column.name not in frame.columns]:
        listed = ", ".join(frame.columns)
        raise DataError(f"{origin.name} has no column {', '.join(missing)} (it has: {listed})")
    encoded = [_ENCODERS[column.kind](frame[column.name], column, origin) for column in columns]
    return np.stack(encoded, axis=1) if encoded else np.empty((len(frame), 0))


def _numbers(series: polars.Series, column: Column, origin: Origin) -> np.ndarray:
    import polars

    text = without_gaps(series) if is_text(series) else series
    values = text.cast(polars.Float64, strict=False)
    wrong = text.filter(values.is_null() & text.is_not_null())
    wrong = wrong if len(wrong) else text.filter(values.is_infinite().fill_null(False))
    if len(wrong):
        raise DataError(f"{origin.place(series, wrong[0])} holds {str(wrong[0])!r}, expected a number")
    return np.array(values.fill_null(float("nan")).to_numpy(), "float64")


def _codes(series: polars.Series, column: Column, origin: Origin) -> np.ndarray:
    import polars

    cells = series.cast(polars.String)
    places = {word: float(code) for code, word in enumerate(column.words)}
    codes = cells.replace_strict(places, default=float(UNKNOWN), return_dtype=polars.Float64)
    return np.array(codes.set(cells.is_null(), float("nan")).to_numpy(), "float64")


def _truth(series: polars.Series, column: Column, origin: Origin) -> np.ndarray:
    import polars

    if not is_text(series):
        return _numbers(series.cast(polars.Float64), column, origin)
    text = without_gaps(series)
    values = text.str.to_lowercase().replace_strict(TRUTH, default=None, return_dtype=polars.Float64)
    wrong = text.filter(values.is_null() & text.is_not_null())
    if len(wrong):
        raise DataError(f"{origin.place(series, wrong[0])} holds {wrong[0]!r}, expected true or false")
    return np.array(values.fill_null(float("nan")).to_numpy(), "float64")


def _dates(series: polars.Series, column: Column, origin: Origin) -> np.ndarray:
    if not is_text(series):
        return to_days(series)
    text = without_gaps(series)
    values, cells = np.full(len(series), np.nan), text.drop_nulls()
    if not len(cells):
        return values
    form = origin.date_forms.get(series.name) or date_form(cells, origin.name)
    dates = parse_dates(cells, form) if form else None
    if dates is None or dates.null_count():
        raise DataError(f"{origin.name}: column {series.name} holds something else than dates such as 2024-12-31")
    values[text.is_not_null().to_numpy()] = to_days(dates)
    return values


_ENCODERS = {NUMBER: _numbers, WORDS: _codes, BOOLEAN: _truth, DATE: _dates}
