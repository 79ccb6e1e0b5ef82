"""Dates in columns of text: the form that all cells of a column have, also where they come piece by piece."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ...errors import DataError

if TYPE_CHECKING:
    import polars

_CLOCKS = ("%H:%M", "%H:%M:%S", "%H:%M:%S%.f")
_TIMES = ("", *(f" {clock}" for clock in _CLOCKS))
_TWELVE_HOURS = (" %I:%M %p", " %I:%M:%S %p")
# None, universal time, or the distance from it.
_ZONES = ("", "Z", "%z")
_DAY_FIRST, _MONTH_FIRST = (
    tuple(f"{day}{time}" for time in (*_TIMES, *_TWELVE_HOURS)) for day in ("%d/%m/%Y", "%m/%d/%Y")
)
_FORMS = (
    "%Y-%m-%d",
    *(f"%Y-%m-%d{mark}{clock}{zone}" for zone in _ZONES for mark in " T" for clock in _CLOCKS),
    *(f"{day}{time}" for day in ("%Y/%m/%d", "%d.%m.%Y") for time in _TIMES),
    *_DAY_FIRST,
    *_MONTH_FIRST,
)
# Two forms of one cell, which may be two days.
_TWO_DAYS = tuple(zip(_DAY_FIRST, _MONTH_FIRST, strict=True))
_SECONDS_PER_DAY = 86_400


class DateForms:
    """The forms of a date that all cells of a column have, as far as they were seen."""

    def __init__(self) -> None:
        self._forms: tuple[str, ...] = _FORMS
        self._first: str | None = None
        self._mean_two_days = False

    def add(self, cells: polars.Series) -> None:
        """Look at further cells of text, without gaps."""
        if not len(cells):
            return
        likely = [form for form in self._forms if not parse_dates(cells[:1], form).null_count()]
        parsed = {form: parse_dates(cells, form) for form in likely}
        whole = {form: dates for form, dates in parsed.items() if not dates.null_count()}
        for day_first, month_first in _TWO_DAYS:
            if {day_first, month_first} <= whole.keys() and not whole[day_first].equals(whole[month_first]):
                self._mean_two_days = True
        self._forms = tuple(whole)
        self._first = cells[0] if self._first is None else self._first

    def require_one(self, column: str, where: str) -> str | None:
        """Return the form of the cells; None unless all of them are dates of one form.

        Raises:
            DataError: they can be read in two ways.
        """
        if self._mean_two_days and any({*pair} <= {*self._forms} for pair in _TWO_DAYS):
            raise DataError(
                f"{where}: column {column} has dates such as {self._first}, which can mean two days: write 2024-12-31"
            )
        return self._forms[0] if self._forms and self._first is not None else None


def date_form(cells: polars.Series, where: str) -> str | None:
    """Return the form of dates in cells of text without gaps; None unless all of them are dates of one form.

    Raises:
        DataError: they can be read in two ways.
    """
    forms = DateForms()
    forms.add(cells)
    return forms.require_one(cells.name, where)


def dates_of(cells: polars.Series, where: str) -> polars.Series | None:
    """Return the dates in cells of text without gaps, with microseconds; None unless all of them are dates of one form.

    Raises:
        DataError: they can be read in two ways.
    """
    form = date_form(cells, where)
    return None if form is None else parse_dates(cells, form)


def parse_dates(cells: polars.Series, form: str) -> polars.Series:
    """Return the dates in cells of text, with microseconds, in universal time if the form has a zone.

    A cell of another form is null.
    """
    import polars

    return cells.str.strptime(polars.Datetime(time_zone="UTC"), form, strict=False).dt.replace_time_zone(None)


def to_days(dates: polars.Series) -> np.ndarray:
    """Return the days since 1970 of dates, (n,) float64; NaN for null."""
    import polars

    milliseconds = dates.cast(polars.Datetime("ms")).dt.epoch("ms").cast(polars.Float64)
    return np.array((milliseconds / (1000 * _SECONDS_PER_DAY)).fill_null(float("nan")).to_numpy(), "float64")
