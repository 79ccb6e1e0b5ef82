"""Dates in columns of text: the form that all cells of a column have, also where they come piece by piece."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ...errors import DataError

if TYPE_CHECKING:
    import polars

_MINUTES, _SECONDS, _FRACTIONS = "%H:%M", "%H:%M:%S", "%H:%M:%S%.f"
_TIMES = ("", *(f" {time}" for time in (_MINUTES, _SECONDS, _FRACTIONS)))
# ISO 8601, also in universal time or with its distance from it.
_ZONES = ("", "Z", "%z")
_ISO = tuple(f"%Y-%m-%dT{time}{zone}" for zone in _ZONES for time in (_MINUTES, _SECONDS, _FRACTIONS))
_HALF_DAYS = (" %I:%M %p", " %I:%M:%S %p")
_DAY_FIRST = tuple(f"%d/%m/%Y{time}" for time in (*_TIMES, *_HALF_DAYS))
_MONTH_FIRST = tuple(f"%m/%d/%Y{time}" for time in (*_TIMES, *_HALF_DAYS))
_FORMS = (
    *(f"%Y-%m-%d{time}{zone}" for zone in _ZONES for time in _TIMES if time or not zone),
    *_ISO,
    *(f"%Y/%m/%d{time}" for time in _TIMES),
    *(f"%d.%m.%Y{time}" for time in _TIMES),
    *_DAY_FIRST,
    *_MONTH_FIRST,
)
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
        for pair in _TWO_DAYS:
            if {*pair} <= whole.keys() and not whole[pair[0]].equals(whole[pair[1]]):
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

    if not form.endswith("%z"):
        return cells.str.strptime(polars.Datetime, form, strict=False)
    dates = cells.str.strptime(polars.Datetime(time_zone="UTC"), form, strict=False)
    return dates.dt.replace_time_zone(None)


def to_days(dates: polars.Series) -> np.ndarray:
    """Return the days since 1970 of dates, (n,) float64; NaN for null."""
    import polars

    milliseconds = dates.cast(polars.Datetime("ms")).dt.epoch("ms").cast(polars.Float64)
    return np.array((milliseconds / (1000 * _SECONDS_PER_DAY)).fill_null(float("nan")).to_numpy(), "float64")
