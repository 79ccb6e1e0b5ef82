"""Dates in columns of text: the form that all cells of a column have, also where they come piece by piece."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ...errors import DataError

if TYPE_CHECKING:
    import polars

_DAY_FIRST, _MONTH_FIRST = "%d/%m/%Y", "%m/%d/%Y"
_FORMS = (
    *("%Y-%m-%d", "%Y-%m-%d %H:%M", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%S%.f", "%d.%m.%Y"),
    *(_DAY_FIRST, _MONTH_FIRST),
)
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
        parsed = {form: parse_dates(cells, form) for form in self._forms}
        whole = {form: dates for form, dates in parsed.items() if not dates.null_count()}
        if {_DAY_FIRST, _MONTH_FIRST} <= whole.keys() and not whole[_DAY_FIRST].equals(whole[_MONTH_FIRST]):
            self._mean_two_days = True
        self._forms = tuple(whole)
        self._first = cells[0] if self._first is None else self._first

    def require_one(self, column: str, where: str) -> str | None:
        """Return the form of the cells; None unless all of them are dates of one form.

        Raises:
            DataError: they can be read in two ways.
        """
        if {_DAY_FIRST, _MONTH_FIRST} <= {*self._forms} and self._mean_two_days:
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
    """Return the dates in cells of text, with microseconds; null for a cell of another form."""
    import polars

    return cells.str.strptime(polars.Datetime, form, strict=False)


def to_days(dates: polars.Series) -> np.ndarray:
    """Return the days since 1970 of dates, (n,) float64; NaN for null."""
    import polars

    milliseconds = dates.cast(polars.Datetime("ms")).dt.epoch("ms").cast(polars.Float64)
    return np.array((milliseconds / (1000 * _SECONDS_PER_DAY)).fill_null(float("nan")).to_numpy(), "float64")
