"""A survey of the columns of a table: what each holds. Only columns of text are read for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ...errors import DataError
from ..columns import BOOLEAN, DATE, Column
from .table import Table, in_memory
from .text_cells import TextCells

if TYPE_CHECKING:
    import polars


@dataclass(frozen=True)
class Survey:
    """What a column holds.

    Attributes:
        column: its name, kind and words.
        distinct: the number of its different words; 0 for other kinds. The words are more than the column has if they
            are too many for the memory.
        are_sentences: whether its words are sentences.
        date_form: that of dates in text, as for `strptime`; None for others.
    """

    column: Column
    distinct: int = 0
    are_sentences: bool = False
    date_form: str | None = None


def survey(table: Table, names: Sequence[str]) -> list[Survey]:
    """Return what these columns of a table hold.

    Raises:
        DataError: a column mixes numbers and words, has dates that can be read in two ways, or holds something else.
    """
    texts = {name: TextCells(name, table.name) for name in names if _is_textual(table.schema[name])}
    if texts:
        for start, piece in table.pieces(list(texts)):
            for name, cells in texts.items():
                cells.add(as_text(piece[name]), start)
    return [
        _of_text(texts[name]) if name in texts else Survey(_typed_column(name, table.schema[name], table.name))
        for name in names
    ]


def columns_of(frame: polars.DataFrame, where: str) -> tuple[Column, ...]:
    """Return what each column of a frame holds.

    Raises:
        DataError: as `survey`.
    """
    return tuple(entry.column for entry in survey(in_memory(frame, where), frame.columns))


def is_text(series: polars.Series) -> bool:
    """Return whether a column is of text, so that its cells say what it holds."""
    import polars

    return bool(series.dtype == polars.String)


def as_text(series: polars.Series) -> polars.Series:
    """Return a column of categories as one of text; one of text as it is."""
    import polars

    return series if is_text(series) else series.cast(polars.String)


def _is_textual(dtype: Any) -> bool:
    import polars

    return isinstance(dtype, (polars.String, polars.Categorical, polars.Enum))


def _of_text(cells: TextCells) -> Survey:
    column = cells.column()
    return Survey(column, len(cells.words), cells.are_sentences, cells.date_form)


def _typed_column(name: str, dtype: Any, where: str) -> Column:
    import polars

    if dtype.is_numeric() or dtype == polars.Null:
        return Column(name)
    if dtype == polars.Boolean:
        return Column(name, BOOLEAN)
    if dtype in (polars.Date, polars.Datetime):
        return Column(name, DATE)
    raise DataError(f"{where}: column {name} holds {dtype}: expected numbers, words, dates or true/false")
