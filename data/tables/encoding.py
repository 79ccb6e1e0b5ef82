"""What the columns of a table hold, and the table as numbers: one per cell, so that all sources look alike.

A number stays as it is; a word becomes its place among the words of its column, a date the days since 1970, true and
false 1 and 0, and a gap NaN. `preprocessing.table_columns` prepares these numbers for a network.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from ...errors import DataError
from ..columns import BOOLEAN, DATE, NUMBER, UNKNOWN, WORDS, Column
from . import frames

if TYPE_CHECKING:
    import polars

# What stands for a gap in a column of numbers or dates. In a column of words, NA may be Namibia.
_GAPS = ("na", "n/a", "nan", "null", "none", "#n/a", "?", "-")
_TRUTH = {"true": 1.0, "false": 0.0}
_DATES = ("%Y-%m-%d", "%Y-%m-%d %H:%M", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%S%.f", "%d.%m.%Y")
_DAY_FIRST, _MONTH_FIRST = "%d/%m/%Y", "%m/%d/%Y"
# Above this share of numbers, a cell that is none is a mistake, not a word; so is a single one.
_MOSTLY = 0.9
_SECONDS_PER_DAY = 86_400


def columns_of(frame: polars.DataFrame, where: str) -> tuple[Column, ...]:
    """Return what each column of a frame holds.

    Raises:
        DataError: a column mixes numbers and words, has dates that can be read in two ways, or holds something else.
    """
    return tuple(_column(series, where) for series in frame.get_columns())


def encode(frame: polars.DataFrame, columns: Sequence[Column], where: str) -> np.ndarray:
    """Return the columns of these names as numbers, in this order, whatever else the frame has.

    Returns:
        (rows, columns) float64; NaN for a gap, `UNKNOWN` for a word that the column does not have.

    Raises:
        DataError: a column is missing, or a cell is not of its kind.
    """
    if missing := [column.name for column in columns if column.name not in frame.columns]:
        listed = ", ".join(frame.columns)
        raise DataError(f"{where} has no column {', '.join(missing)} (it has: {listed})")
    encoded = [_ENCODERS[column.kind](frame[column.name], column, where) for column in columns]
    return np.stack(encoded, axis=1) if encoded else np.empty((len(frame), 0))


def is_text(series: polars.Series) -> bool:
    """Return whether a column is of text, so that its cells say what it holds."""
    import polars

    return bool(series.dtype == polars.String)


def _column(series: polars.Series, where: str) -> Column:
    import polars

    if isinstance(series.dtype, (polars.Categorical, polars.Enum)):
        series = series.cast(polars.String)
    if is_text(series):
        return _text_column(series, where)
    if series.dtype.is_numeric() or series.dtype == polars.Null:
        return Column(series.name)
    if series.dtype == polars.Boolean:
        return Column(series.name, BOOLEAN)
    if series.dtype in (polars.Date, polars.Datetime):
        return Column(series.name, DATE)
    raise DataError(f"{where}: column {series.name} holds {series.dtype}: expected numbers, words, dates or true/false")


def _text_column(series: polars.Series, where: str) -> Column:
    import polars

    name, cells = series.name, series.drop_nulls()
    said = _without_gaps(series).drop_nulls()
    numbers = said.cast(polars.Float64, strict=False).is_not_null()
    if numbers.all():
        return Column(name)
    if said.str.to_lowercase().is_in(list(_TRUTH)).all():
        return Column(name, BOOLEAN)
    if _days(said, where) is not None:
        return Column(name, DATE)
    if numbers.mean() >= _MOSTLY or len(numbers) - numbers.sum() == 1 < len(numbers):  # type: ignore[operator]
        cell = said.filter(~numbers)[0]
        raise DataError(
            f"{_place(series, cell, where)} holds {cell!r}, expected a number: correct it, or leave it empty"
        )
    return Column(name, WORDS, tuple(cells.unique().sort().to_list()))


def _without_gaps(series: polars.Series) -> polars.Series:
    """Return a column of text with null where a word stands for a gap."""
    gap = series.str.to_lowercase().is_in(list(_GAPS))
    return series.set(gap.fill_null(True), None)


def _place(series: polars.Series, cell: str, where: str) -> str:
    return f"{where}: row {series.to_list().index(cell) + 1} of {frames.titled(series.name)}"


def _numbers(series: polars.Series, column: Column, where: str) -> np.ndarray:
    import polars

    text = _without_gaps(series) if is_text(series) else series
    values = text.cast(polars.Float64, strict=False)
    wrong = text.filter(values.is_null() & text.is_not_null())
    wrong = wrong if len(wrong) else text.filter(values.is_infinite().fill_null(False))
    if len(wrong):
        raise DataError(f"{_place(series, wrong[0], where)} holds {str(wrong[0])!r}, expected a number")
    return np.array(values.fill_null(float("nan")).to_numpy(), "float64")


def _codes(series: polars.Series, column: Column, where: str) -> np.ndarray:
    import polars

    cells = series.cast(polars.String)
    places = {word: float(code) for code, word in enumerate(column.words)}
    codes = cells.replace_strict(places, default=float(UNKNOWN), return_dtype=polars.Float64)
    return np.array(codes.set(cells.is_null(), float("nan")).to_numpy(), "float64")


def _truth(series: polars.Series, column: Column, where: str) -> np.ndarray:
    import polars

    if not is_text(series):
        return _numbers(series.cast(polars.Float64), column, where)
    text = _without_gaps(series)
    values = text.str.to_lowercase().replace_strict(_TRUTH, default=None, return_dtype=polars.Float64)
    wrong = text.filter(values.is_null() & text.is_not_null())
    if len(wrong):
        raise DataError(f"{_place(series, wrong[0], where)} holds {wrong[0]!r}, expected true or false")
    return np.array(values.fill_null(float("nan")).to_numpy(), "float64")


def _dates(series: polars.Series, column: Column, where: str) -> np.ndarray:
    if not is_text(series):
        return _to_days(series)
    text = _without_gaps(series)
    days = _days(text.drop_nulls(), where)
    if days is None:
        raise DataError(f"{where}: column {series.name} holds something else than dates such as 2024-12-31")
    values = np.full(len(series), np.nan)
    values[text.is_not_null().to_numpy()] = days
    return values


_ENCODERS = {NUMBER: _numbers, WORDS: _codes, BOOLEAN: _truth, DATE: _dates}


def _days(cells: polars.Series, where: str) -> np.ndarray | None:
    """Return the days since 1970 of cells without gaps, (n,) float64; None unless all of them are dates."""
    dates = dates_of(cells, where)
    return None if dates is None else _to_days(dates)


def dates_of(cells: polars.Series, where: str) -> polars.Series | None:
    """Return the dates in cells of text without gaps, with microseconds; None unless all of them are dates of one form.

    Raises:
        DataError: they can be read in two ways.
    """
    parsed = next(_parsed(cells, _DATES), None)
    slashed = list(_parsed(cells, (_DAY_FIRST, _MONTH_FIRST)))
    if len(slashed) == 2 and not slashed[0].equals(slashed[1]):
        raise DataError(
            f"{where}: column {cells.name} has dates such as {cells[0]}, which can mean two days: write 2024-12-31"
        )
    return parsed if parsed is not None or not slashed else slashed[0]


def _parsed(cells: polars.Series, formats: Sequence[str]) -> Iterator[polars.Series]:
    """Yield the dates of the cells for each format that all of them have."""
    import polars

    for form in formats:
        dates = cells.str.strptime(polars.Datetime, form, strict=False)
        if len(cells) and not dates.null_count():
            yield dates


def _to_days(dates: polars.Series) -> np.ndarray:
    import polars

    milliseconds = dates.cast(polars.Datetime("ms")).dt.epoch("ms").cast(polars.Float64)
    return np.array((milliseconds / (1000 * _SECONDS_PER_DAY)).fill_null(float("nan")).to_numpy(), "float64")
