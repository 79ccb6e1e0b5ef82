"""Summarise the columns of a table: what each holds, how much of it is missing, and how it is distributed."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...data.columns import DATE, TEXT, WORDS, Column
from ...data.dataset import Dataset
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
    splits = [split.x for split in (dataset.train, dataset.test, dataset.validation) if split]
    cells = np.concatenate(splits)
    return [_summarize(column, cells[:, place]) for place, column in enumerate(dataset.columns)]


def _summarize_sentences(dataset: Dataset) -> dict[str, Any]:
    """Return the entry of a column of sentences; `low`, `high` and `mean` are numbers of words."""
    rows = [row for split in (dataset.train, dataset.test, dataset.validation) if split for row in split.x]
    words = np.array([len(row_to_text(row).split()) for row in rows])
    lengths = {"low": float(words.min()), "high": float(words.max()), "mean": float(words.mean())}
    return {"name": dataset.columns[0].name, "kind": "words of a text", "gaps": int((words == 0).sum()), **lengths}


def _summarize(column: Column, cells: np.ndarray) -> dict[str, Any]:
    known = cells[~np.isnan(cells)]
    entry = {"name": column.name, "kind": column.kind, "gaps": len(cells) - len(known)}
    if column.kind == WORDS:
        counts = np.bincount(known.astype(int), minlength=len(column.words))
        frequent = np.argsort(-counts, kind="stable")[:_MOST_WORDS]
        words = {column.words[code]: int(counts[code]) for code in frequent}
        return {**entry, "distinct": len(column.words), "words": words}
    values = (known.min(), known.max(), known.mean()) if len(known) else (np.nan,) * 3
    shown = [_day(value) if column.kind == DATE else float(value) for value in values]
    return {**entry, **dict(zip(("low", "high", "mean"), shown, strict=True))}


def _day(days: float) -> str:
    return str(np.datetime64("1970-01-01") + np.timedelta64(int(days), "D"))
