"""Reads the column that says when each row was: numbers, or dates whose order is certain."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ...errors import DataError

if TYPE_CHECKING:
    import polars

_DATE = r"^\d{4}-\d{2}(-\d{2}([T ]\d{2}:\d{2}(:\d{2}(\.\d+)?)?Z?)?)?$"
_EXPECTED = "expected numbers, or dates such as 2024-05-31 or 2024-05-31 14:00"


def read_times(path: Path, column: polars.Series) -> np.ndarray:
    """Return the times in a column as numbers, or as datetime64 with microseconds.

    Dates are written from the year to the second, as in ISO 8601. In others, such as 03/05/2024, either number may be
    the month.

    Raises:
        DataError: a cell is empty, or neither a number nor such a date.
    """
    if column.null_count():
        raise DataError(f"{path}: column {column.name!r} has no time in row {_first(column.is_null())}")
    if column.dtype.is_temporal():
        return _from_temporal(path, column)
    if column.dtype.is_numeric():
        return _finite(path, column.name, column.to_numpy())
    return _from_text(path, column)


def _from_temporal(path: Path, column: Any) -> np.ndarray:
    times = column.to_numpy()
    if times.dtype.kind != "M":
        raise DataError(f"{path}: column {column.name!r} holds {column.dtype}, {_EXPECTED}")
    return np.asarray(times.astype("datetime64[us]"))


def _from_text(path: Path, column: Any) -> np.ndarray:
    import polars

    cells = column.cast(polars.String)
    for dtype in (polars.Int64, polars.Float64):
        numbers = cells.cast(dtype, strict=False)
        if not numbers.null_count():
            return _finite(path, column.name, numbers.to_numpy())
    # NumPy reads the words `now` and `today` too.
    is_date = cells.str.contains(_DATE)
    if not is_date.all():
        row = _first(~is_date)
        raise DataError(f"{path}: column {column.name!r} holds {cells[row - 1]!r} in row {row}, {_EXPECTED}")
    try:
        return np.asarray(cells.str.strip_suffix("Z").to_numpy().astype("U").astype("datetime64[us]"))
    except ValueError as error:
        raise DataError(f"{path}: column {column.name!r}: {error}, {_EXPECTED}") from error


def _finite(path: Path, name: str, times: np.ndarray) -> np.ndarray:
    if times.dtype.kind == "f" and not np.isfinite(times).all():
        row = int(np.argmin(np.isfinite(times))) + 1
        raise DataError(f"{path}: column {name!r} holds {times[row - 1]} in row {row}, {_EXPECTED}")
    return times


def _first(flags: Any) -> int:
    """Return the row of the first True, counted from 1."""
    return int(flags.arg_true()[0]) + 1
