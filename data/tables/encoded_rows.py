"""The rows of a table as numbers: in memory, or in a scratch file where the table is larger than memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ...storage.scratch_array import scratch_array
from ..deferred_array import DeferredArray
from .encoding import Origin, encode
from .survey import Survey
from .table import Table


def encoded_pieces(table: Table, columns: Sequence[Survey]) -> Iterator[tuple[int, np.ndarray]]:
    """Yield the rows as numbers, (some rows, columns) float64, each piece with the number of the rows before it.

    Raises:
        DataError: a cell is not of its kind, or the file is damaged.
    """
    names = [entry.column.name for entry in columns]
    forms = {entry.column.name: entry.date_form for entry in columns if entry.date_form}
    for start, piece in table.pieces(names):
        yield start, encode(piece, [entry.column for entry in columns], Origin(table.name, start, forms))


def encoded_rows(table: Table, columns: Sequence[Survey], order: np.ndarray | None = None) -> Any:
    """Return the rows of a table as numbers.

    Args:
        table: in memory, or in its file; then its rows are written into a scratch file.
        columns: what its columns hold.
        order: (rows,) the numbers of the rows in the order in which they are to lie; None for that of the table.

    Returns:
        (rows, columns) float64: an array, or a deferred array where the table is in its file.

    Raises:
        DataError: a cell is not of its kind, or the file is damaged.
        OutputError: the scratch file cannot be written.
    """
    pieces = (rows for _, rows in encoded_pieces(table, columns))
    if not table.is_stored:
        rows = next(pieces)
        return rows if order is None else rows[order]
    return DeferredArray(scratch_array(Path(table.name), (table.rows, len(columns)), pieces, order))
