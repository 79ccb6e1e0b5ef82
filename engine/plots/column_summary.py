"""Summarise the columns of a table: what each holds, how much of it is missing, and how it is distributed."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...data.columns import DATE, TEXT, WORDS, Column
from ...data.dataset import Dataset
from ...data.deferred_array import blocks_of
from ...data.sources.text import row_to_text

_MOST_WORDS = 5


def summarize_columns(dataset: Dataset) -> list[dict[str, Any]]:
    """Return an entry for each column, over the training and the test split.

    Returns:
        `name`, `kind`, `gaps` (empty cells); for words `words`, the number of rows of each of the most frequent ones,
        and `distinct`; else `low`, `high` and `mean`, which are days as text for dates.
    """
    if dataset.columns[0].kind == TEXT:
        return [_summarize_sentences(dataset)]
    columns = [_CellTotals(column) for column in dataset.columns]
    for split in filter(None, (dataset.train, dataset.test, dataset.validation)):
        for rows in blocks_of(split.x):
            for place, totals in enumerate(columns):
                totals.add(rows[:, place])
    return [totals.entry() for totals in columns]


def _summarize_sentences(dataset: Dataset) -> dict[str, Any]:
    """Return the entry of a column of sentences; `low`, `high` and `mean` are numbers of words."""
    rows = [row for split in (dataset.train, dataset.test, dataset.validation) if split for row in split.x]
    words = np.array([len(row_to_text(row).split()) for row in rows])
    lengths = {"low": float(words.min()), "high": float(words.max()), "mean": float(words.mean())}
    return {"name": dataset.columns[0].name, "kind": "words of a text", "gaps": int((words == 0).sum()), **lengths}


class _CellTotals:
    """Sums over the cells of a column, added block by block: a table may be larger than memory."""

    def __init__(self, column: Column):
        self._column = column
        self._gaps = self._known = 0
        self._low, self._high, self._sum = np.inf, -np.inf, 0.0
        self._counts = np.zeros(len(column.words), "int64")

    def add(self, cells: np.ndarray) -> None:
        known = cells[~np.isnan(cells)]
        self._gaps += len(cells) - len(known)
        self._known += len(known)
        if self._column.kind == WORDS:
            self._counts += np.bincount(known.astype(int), minlength=len(self._counts))
        elif len(known):
            self._low, self._high = min(self._low, known.min()), max(self._high, known.max())
            self._sum += known.sum()

    def entry(self) -> dict[str, Any]:
        column = self._column
        entry = {"name": column.name, "kind": column.kind, "gaps": self._gaps}
        if column.kind == WORDS:
            frequent = np.argsort(-self._counts, kind="stable")[:_MOST_WORDS]
            words = {column.words[code]: int(self._counts[code]) for code in frequent}
            return {**entry, "distinct": len(column.words), "words": words}
        values = (self._low, self._high, self._sum / self._known) if self._known else (np.nan,) * 3
        shown = [_day(value) if column.kind == DATE else float(value) for value in values]
        return {**entry, **dict(zip(("low", "high", "mean"), shown, strict=True))}


def _day(days: float) -> str:
    return str(np.datetime64("1970-01-01") + np.timedelta64(int(days), "D"))
