"""Reads the columns of a table of time series: numbers, and beside them the key of a series and the time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ...errors import DataError
from ...storage import safe_arrays
from ..columns import DATE, WORDS
from ..tables import frames
from ..tables.encoding import encode
from ..tables.survey import columns_of
from .rows import SeriesRows
from .times import read_times

if TYPE_CHECKING:
    import polars

ENDINGS = (*frames.ENDINGS, ".npy", ".npz")
_KINDS = {WORDS: "words", DATE: "dates"}


@dataclass(frozen=True)
class SeriesColumns:
    """The columns of a table of series.

    Attributes:
        key: the one that tells the series apart; empty where the table is one series.
        time: the one that says when a row was; empty where the rows are in the order of time.
        numbers: those of numbers, in order; empty takes all but the key and the time.
    """

    key: str = ""
    time: str = ""
    numbers: tuple[str, ...] = ()


def read_rows(path: Path, columns: SeriesColumns) -> SeriesRows:
    """Read the rows of series from a table, or from arrays.

    An `.npy` array has the shape (rows,) or (rows, columns). The arrays in an `.npz` file are columns by their names,
    all of one length.

    Raises:
        DataError: the file is missing or damaged, or as `rows_of`.
    """
    is_table = path.suffix.lower() in frames.ENDINGS
    return rows_of(frames.read_frame(path) if is_table else _read_arrays(path), str(path), columns)


def rows_of(frame: polars.DataFrame, where: str, columns: SeriesColumns) -> SeriesRows:
    """Return the rows of series in a frame.

    Returns:
        The rows, sorted by series and time. Series come in the order of their names, or numbers.

    Raises:
        DataError: a column is missing, or has a cell that is not a finite number; two rows of a series have the same
            time.
    """
    names = columns.numbers or tuple(name for name in frame.columns if name not in (columns.key, columns.time))
    frames.require_columns(where, frame.columns, [name for name in (columns.key, columns.time, *names) if name])
    if not names:
        raise DataError(f"{where}: there is no column of numbers in it (it has: {', '.join(frame.columns)})")
    values = _numbers(where, frame.select(names))
    series, numbers = _series(where, frame, columns.key)
    times = read_times(where, frame[columns.time]) if columns.time else None
    order = np.argsort(numbers, kind="stable") if times is None else np.lexsort((times, numbers))
    if times is not None:
        _require_distinct(where, columns, series, numbers, times, order)
    bounds = np.searchsorted(numbers[order], np.arange(len(series) + 1))
    return SeriesRows(values[order], names, series, bounds, None if times is None else times[order])


def _read_arrays(path: Path) -> polars.DataFrame:
    import polars

    if not path.is_file():
        raise DataError(f"{path}: no such file")
    if path.suffix.lower() == ".npy":
        columns = _columns_of("column", safe_arrays.read_npy(path))
    else:
        arrays = safe_arrays.read_npz(path, str(path))
        columns = {name: part for key, array in arrays.items() for name, part in _columns_of(key, array).items()}
    if len({len(column) for column in columns.values()}) > 1:
        listed = ", ".join(f"{name} {len(column)}" for name, column in columns.items())
        raise DataError(f"{path}: the columns of a series have one length, its arrays have several ({listed})")
    if not columns or not len(next(iter(columns.values()))):
        raise DataError(f"{path}: there is no row in it")
    return polars.DataFrame(columns)


def _columns_of(name: str, array: np.ndarray) -> dict[str, np.ndarray]:
    """Return the columns of an array by name; those of a table are numbered from 1."""
    if array.ndim == 1:
        return {name if name != "column" else "column 1": array}
    if array.ndim != 2:
        raise DataError(f"{name} has shape {array.shape}: a series is (rows,) or (rows, columns)")
    return {f"{name} {place + 1}": array[:, place] for place in range(array.shape[1])}


def _numbers(where: str, frame: polars.DataFrame) -> np.ndarray:
    """Return the columns of a frame as (rows, columns) float64.

    Raises:
        DataError: a column holds something else than numbers, or has a gap.
    """
    columns = columns_of(frame, where)
    for column in columns:
        if column.kind in (WORDS, DATE):
            kind, cell = _KINDS[column.kind], frame[column.name].drop_nulls()[0]
            raise DataError(
                f"{where}: column {column.name!r} holds {kind} such as {cell}, a series takes numbers: is it the `key` "
                "or the `time`? Else leave it out, or write it as numbers"
            )
    values = encode(frame, columns, where)
    if np.isfinite(values).all():
        return values
    row, place = (int(index) for index in np.argwhere(~np.isfinite(values))[0])
    raise DataError(
        f"{where}: column {columns[place].name!r} has no number in row {row + 1}: fill the gap, or leave the row out"
    )


def _series(where: str, frame: polars.DataFrame, key: str) -> tuple[tuple[str, ...], np.ndarray]:
    """Return the names of the series, and the number of the one that each row belongs to."""
    import polars

    if not key:
        return ("",), np.zeros(len(frame), "int64")
    column = frame[key]
    if column.null_count():
        row = int(column.is_null().arg_true()[0]) + 1
        raise DataError(f"{where}: column {key!r} has no value in row {row}: it says which series the row belongs to")
    words = column.cast(polars.String)
    names = sorted(words.unique().to_list(), key=_order)
    places = {name: place for place, name in enumerate(names)}
    return tuple(names), np.array([places[word] for word in words.to_list()], "int64")


def _order(name: str) -> tuple[int, float, str]:
    """Return the place of a series among others: numbers first, by their size, then words."""
    return (0, int(name), name) if name.isdecimal() else (1, 0, name)


def _require_distinct(
    where: str,
    columns: SeriesColumns,
    series: Sequence[str],
    numbers: np.ndarray,
    times: np.ndarray,
    order: np.ndarray,
) -> None:
    """Raise a DataError if two rows of one series have the same time: their order is not known."""
    same = (np.diff(numbers[order]) == 0) & (times[order][1:] == times[order][:-1])
    if not same.any():
        return
    place = int(np.argmax(same))
    first, second = sorted(int(row) + 1 for row in order[place : place + 2])
    of_series = f" of {series[numbers[order[place]]]}" if columns.key else ""
    advice = (
        "leave one out" if columns.key else "name the column that tells the series apart as `key`, or leave one out"
    )
    raise DataError(f"{where}: rows {first} and {second}{of_series} have the same {columns.time!r}: {advice}")
