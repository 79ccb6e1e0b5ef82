"""Data of one table in the terms of another: a bundle's words have the numbers of the table that it was trained on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ...errors import DataError
from ..columns import TEXT, UNKNOWN, WORDS, Column
from ..dataset import Dataset
from ..nests import map_rows


def with_columns(dataset: Dataset, columns: Sequence[Column]) -> Dataset:
    """Return a dataset of a table with these columns, in this order; a word that they lack is `UNKNOWN`.

    Raises:
        DataError: a column is missing, or holds something else.
    """
    if TEXT in {column.kind for column in (*columns, *dataset.columns)}:
        return _require_sentences(dataset, columns)
    names = [column.name for column in dataset.columns]
    if missing := [column.name for column in columns if column.name not in names]:
        raise DataError(f"{dataset.name} has no column {', '.join(missing)} (it has: {', '.join(names)})")
    sources = [dataset.columns[names.index(column.name)] for column in columns]
    places = [names.index(column.name) for column in columns]

    def recoded(x: np.ndarray) -> np.ndarray:
        cells = [_recoded(x[:, place], *pair) for place, pair in zip(places, tables, strict=True)]
        return np.stack(cells, axis=1)

    tables = [(source, column) for source, column in zip(sources, columns, strict=True)]
    for source, column in tables:
        _require_kind(source, column, dataset.name)
    return replace(dataset.with_inputs(lambda x: map_rows(recoded, x)), columns=tuple(columns))


def _require_sentences(dataset: Dataset, columns: Sequence[Column]) -> Dataset:
    """Return a dataset of sentences if the columns are the same one.

    Raises:
        DataError: the dataset has other columns.
    """
    if dataset.columns != tuple(columns):
        read, expected = (", ".join(column.name for column in part) for part in (dataset.columns, columns))
        raise DataError(f"{dataset.name}: the columns {read} were read, expected {expected} as in training")
    return dataset


def _recoded(cells: np.ndarray, source: Column, column: Column) -> np.ndarray:
    """Return the cells (n,) of a column with the codes of another column."""
    if column.kind != WORDS:
        return cells
    codes = {word: code for code, word in enumerate(column.words)}
    table = np.array([*(codes.get(word, UNKNOWN) for word in source.words), UNKNOWN], "float64")
    is_gap = np.isnan(cells)
    return np.where(is_gap, np.nan, table[np.where(is_gap, UNKNOWN, cells).astype(int)])


def _require_kind(source: Column, column: Column, where: str) -> None:
    if source.kind != column.kind:
        raise DataError(f"{where}: column {column.name} holds {source.kind}, expected {column.kind} as in training")
