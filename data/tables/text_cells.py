"""What a column of text holds: numbers, dates, true/false or words. It is decided by all of its cells."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...errors import DataError
from ..columns import BOOLEAN, DATE, WORDS, Column
from . import frames
from .dates import DateForms
from .distinct_words import DistinctWords

if TYPE_CHECKING:
    import polars

TRUTH = {"true": 1.0, "false": 0.0}
# What stands for a gap in a column of numbers or dates. In a column of words, NA may be Namibia.
_GAPS = ("na", "n/a", "nan", "null", "none", "#n/a", "?", "-")
# Above this share of numbers, a cell that is none is a mistake, not a word; so is a single one.
_MOSTLY = 0.9
# Cells with this many words on average are sentences.
_FEWEST_WORDS = 3


class TextCells:
    """What the cells of a column of text can be read as, learned from one piece of them after the other.

    Args:
        name: of the column.
        where: the name of the table, for messages.

    Attributes:
        words: the different cells, whatever they can be read as.
    """

    def __init__(self, name: str, where: str):
        self._name, self._where = name, where
        self.words = DistinctWords()
        self._dates = DateForms()
        self._count = self._numbers = self._truths = 0  # without what stands for a gap
        self._cells = self._pieces = 0  # that are not empty, and what stands between their spaces
        self._no_number: tuple[str, int] | None = None  # the first cell that is none, and its row

    def add(self, series: polars.Series, start: int) -> None:
        """Look at further cells of text, which begin in this row, counted from 0."""
        import polars

        cells, present = series.drop_nulls(), without_gaps(series).drop_nulls()
        is_number = present.cast(polars.Float64, strict=False).is_not_null()
        self._count += len(present)
        self._numbers += int(is_number.sum())
        self._truths += int(present.str.to_lowercase().is_in(list(TRUTH)).sum())
        if self._no_number is None and not is_number.all():
            cell = present.filter(~is_number)[0]
            self._no_number = cell, start + row_of(series, cell)
        self._dates.add(present)
        self._cells += len(cells)
        self._pieces += int(cells.str.count_matches(" ", literal=True).sum()) + len(cells)
        self.words.add(cells)

    @property
    def are_sentences(self) -> bool:
        """Whether the cells are sentences, if they are words."""
        return self._cells > 0 and self._pieces / self._cells >= _FEWEST_WORDS

    @property
    def date_form(self) -> str | None:
        """The form of the dates in it; None where it does not hold dates."""
        if self._count in (self._numbers, self._truths):
            return None
        return self._dates.require_one(self._name, self._where)

    def column(self) -> Column:
        """Return what the column holds.

        Raises:
            DataError: it mixes numbers and words, or has dates that can be read in two ways.
        """
        if self._numbers == self._count:
            return Column(self._name)
        if self._truths == self._count:
            return Column(self._name, BOOLEAN)
        if self.date_form is not None:
            return Column(self._name, DATE)
        if self._numbers / self._count >= _MOSTLY or self._count - self._numbers == 1 < self._count:
            assert self._no_number
            cell, row = self._no_number
            raise DataError(
                f"{self._where}: row {row + 1} of {frames.titled(self._name)} holds {cell!r}, expected a number: "
                "correct it, or leave it empty"
            )
        return Column(self._name, WORDS, self.words.in_order())


def without_gaps(series: polars.Series) -> polars.Series:
    """Return a column of text with null where a word stands for a gap."""
    gap = series.str.to_lowercase().is_in(list(_GAPS))
    return series.set(gap.fill_null(True), None)


def row_of(series: polars.Series, cell: object) -> int:
    """Return the first row that holds this cell, counted from 0."""
    return int((series == cell).fill_null(False).arg_true()[0])
