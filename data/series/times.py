"""Reads the column that says when each row was: numbers, or dates whose order is certain."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ...errors import DataError
from ..tables.dates import dates_of
from ..tables.survey import is_text

if TYPE_CHECKING:
    import polars

_MONTH = r"^(\d{4}-\d{2})$"
_EXPECTED = "expected numbers, or dates such as 2024-05-31 or 2024-05-31 14:00"


def read_times(where: str, column: polars.Series) -> np.ndarray:
    """Return the times in a column as numbers, or as datetime64 with microseconds; all of one form.

    Raises:
        DataError: a cell is empty, or neither a number nor a date.
    """
    if column.null_count():
        raise DataError(f"{where}: column {column.name!r} has no time in row {_first(column.is_null())}")
    if is_text(column):
        return _from_text(where, column)
    times = column.to_numpy()
    if times.dtype.kind not in "Miuf":
        raise DataError(f"{where}: column {column.name!r} holds {column.dtype}, {_EXPECTED}")
    return np.asarray(times.astype("datetime64[us]")) if times.dtype.kind == "M" else _finite(where, column.name, times)


def _from_text(where: str, cells: Any) -> np.ndarray:
    import polars

    for dtype in (polars.Int64, polars.Float64):
        numbers = cells.cast(dtype, strict=False)
        if not numbers.null_count():
            return _finite(where, cells.name, numbers.to_numpy())
    # A month is its first day; Z says that a time is universal.
    written = cells.str.replace(_MONTH, "${1}-01").str.strip_suffix("Z")
    dates = dates_of(written, where)
    if dates is None:
        row = _first_of_another_form(where, written)
        raise DataError(
            f"{where}: column {cells.name!r} holds {cells[row - 1]!r} in row {row}, {_EXPECTED}, of one form"
        )
    return np.asarray(dates.to_numpy().astype("datetime64[us]"))


def _first_of_another_form(where: str, cells: Any) -> int:
    """Return the first row, counted from 1, up to which the cells are not dates of one form."""
    dates, others = 0, len(cells)
    while others - dates > 1:
        middle = (dates + others) // 2
        if dates_of(cells[:middle], where) is None:
            others = middle
        else:
            dates = middle
    return others


def _finite(where: str, name: str, times: np.ndarray) -> np.ndarray:
    if times.dtype.kind == "f" and not np.isfinite(times).all():
        row = int(np.argmin(np.isfinite(times))) + 1
        raise DataError(f"{where}: column {name!r} holds {times[row - 1]} in row {row}, {_EXPECTED}")
    return times


def _first(flags: Any) -> int:
    """Return the row of the first True, counted from 1."""
    return int(flags.arg_true()[0]) + 1
