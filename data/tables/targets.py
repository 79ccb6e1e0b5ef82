"""The targets in a column of a table: classes or values."""

from __future__ import annotations

import numpy as np

from ...errors import DataError
from ..columns import CLASSIFICATION, REGRESSION, TASKS, WORDS, Column
from ..sources.labels import MAX_CLASSES, parse_classes, parse_numbers, parse_targets
from . import frames
from .distinct_words import DistinctWords
from .encoded_rows import encoded_pieces
from .survey import Survey, survey
from .table import Table

# Whole numbers from here on have more digits than a float holds: they are told apart as text.
_EXACT = 10.0 ** np.finfo("float64").precision

Targets = tuple[np.ndarray, tuple[str, ...]]


def target_values(table: Table, name: str, task: str) -> Targets:
    """Return the targets in a column, (rows,), and the names of their classes; none where they are values.

    Raises:
        DataError: a row has none, or they do not go with the task.
    """
    _require_all(table, name)
    if task and task not in TASKS:
        raise DataError(f"task={task}: expected {' or '.join(TASKS)}")
    (entry,) = survey(table, [name])
    dtype = table.schema[name]
    if task == REGRESSION or (entry.column.kind != WORDS and dtype.is_float() and not task):
        return _values(table, entry), ()
    values, names = _classes_or_values(table, entry, task)
    if not task and len(names) > MAX_CLASSES and len(names) > table.rows / 2:
        raise DataError(
            f"{table.name}: {len(names):,} of the {table.rows:,} cells of {frames.titled(name)} differ, which are no "
            "classes: name the column to predict by `target`"
        )
    return values, names


def _classes_or_values(table: Table, entry: Survey, task: str) -> Targets:
    """Return the targets in a column of words or of integers, or of other numbers that are classes."""
    name = entry.column.name
    dtype = table.schema[name]
    if not (dtype.is_integer() or dtype.is_float()):
        return _targets_in_words(table, entry, task)
    numbers = _encoded(table, Survey(Column(name)))
    if dtype.is_integer() and np.abs(numbers).max() >= _EXACT:
        return _targets_in_words(table, entry, task)
    if task == CLASSIFICATION:
        return parse_classes(numbers)
    return parse_numbers(numbers, table.rows, are_integers=dtype.is_integer())


def describe_guess(target: str, values: np.ndarray, names: tuple[str, ...]) -> str:
    """Return a sentence on what integers were taken for, since a table does not say; empty for other targets."""
    if names and all(name.lstrip("+-").isdecimal() for name in names):
        return f"The {len(names)} integers in {target!r} are taken as classes; `task` regression takes them as values."
    if not names and np.array_equal(values, np.rint(values)):
        return f"The integers in {target!r} are taken as values; `task` classification takes them as classes."
    return ""


def _require_all(table: Table, name: str) -> None:
    """Raise a DataError if a row has no target."""
    for start, piece in table.pieces([name]):
        if piece[name].null_count():
            row = start + int(piece[name].is_null().arg_true()[0]) + 1
            raise DataError(f"{table.name}: row {row} has no {name}: give it one, or leave the row out")


def _targets_in_words(table: Table, entry: Survey, task: str) -> Targets:
    """Return the targets in a column of text, true and false, or dates: each stands for itself, or for a number."""
    name = entry.column.name
    words = _different_words(table, name)
    values, names = parse_classes(words) if task == CLASSIFICATION else parse_targets(words, table.rows)
    if not names:
        return _values(table, entry), ()
    codes = _encoded(table, Survey(Column(name, WORDS, words)))
    return values[codes.astype("int64")], names


def _different_words(table: Table, name: str) -> tuple[str, ...]:
    """Return the different cells of a column as text.

    Raises:
        DataError: they are too many for the memory.
    """
    import polars

    words = DistinctWords()
    for _, piece in table.pieces([name]):
        words.add(piece[name].cast(polars.String))
    if len(words) > len(words.in_order()):
        raise DataError(f"{table.name}: {frames.titled(name)} holds {len(words):,} different words: too many classes")
    return words.in_order()


def _values(table: Table, entry: Survey) -> np.ndarray:
    """Return the targets in a column of values.

    Raises:
        DataError: it holds words, or a row holds no number.
    """
    column = entry.column
    if column.kind == WORDS:
        raise DataError(
            f"{table.name}: {frames.titled(column.name)} holds words such as {column.words[0]!r}: expected numbers"
        )
    values = _encoded(table, entry)
    if not np.isfinite(values).all():
        row = int(np.flatnonzero(~np.isfinite(values))[0]) + 1
        raise DataError(
            f"{table.name}: row {row} of {frames.titled(column.name)} holds no number: give it one, or leave the row "
            "out"
        )
    return values


def _encoded(table: Table, entry: Survey) -> np.ndarray:
    """Return a column as numbers, (rows,) float64."""
    values = np.empty(table.rows)
    for start, rows in encoded_pieces(table, [entry]):
        values[start : start + len(rows)] = rows[:, 0]
    return values
