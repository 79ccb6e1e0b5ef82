"""A dataset from a table with a column to predict."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ...errors import DataError
from ..columns import CLASSIFICATION, REGRESSION, TASKS, TEXT, WORDS, Column
from ..dataset import TABLE, TEST_SHARE, Dataset, Labels, share_of, split_evenly
from ..sources.labels import MAX_CLASSES, parse_classes, parse_targets
from . import frames
from .encoding import columns_of, encode
from .preparation import steps_for
from .text_column import encode_text_column, is_sentences

if TYPE_CHECKING:
    import polars

# Columns of these names that count the rows say nothing about a row.
_INDEX_NAMES = ("", "index", "id", "row", "unnamed: 0")
_FEWEST_ROWS = 5
# A column of words is left out where almost every cell differs, as names and addresses do.
_MOST_DISTINCT = 0.9
_FEWEST_DISTINCT = 50


def read_labelled_table(
    path: Path,
    target: str = "",
    test_share: str = str(TEST_SHARE),
    task: str = "",
    numbers: str = "",
    words: str = "",
    text: str = "",
) -> Dataset:
    """Read a dataset from a table; see `from_frame`.

    Raises:
        DataError: the file is missing or damaged, or its columns cannot be used.
    """
    return from_frame(frames.read_frame(path), str(path), target, test_share, task, numbers, words, text)


def from_frame(
    frame: polars.DataFrame,
    name: str,
    target: str = "",
    test_share: str = str(TEST_SHARE),
    task: str = "",
    numbers: str = "",
    words: str = "",
    text: str = "",
) -> Dataset:
    """Return a dataset whose samples are the rows of a frame.

    Words are classes, in alphabetical order. Integers are classes too, in numerical order, unless hardly any occurs
    twice. The test split is stratified by class.

    Args:
        frame: its columns hold numbers, words, dates, or true and false; cells may be empty.
        name: for messages and the record.
        target: the column to predict, or several, separated by commas; by default the one called `label`, `class`,
            `target` or `y`, else the last.
        test_share: the share of the rows that is the test split.
        task: `classification` or `regression`, where the rule for integers is not what is meant; else empty.
        numbers, words: how the columns are prepared, as in `TableColumns`; empty for its default, or the recipe's.
        text: the column of sentences to read instead of all others; by default one beside which nothing can be learned
            from.

    Returns:
        x: (rows, columns) float64 as in `encoding.encode`, the columns of the targets and those without information
        left out, or the code points of sentences, (rows, characters) int32; y: (rows,) class numbers or values, or a
        dictionary of them by target.

    Raises:
        DataError: there are too few rows, no such column, a row has no target, or a column cannot be used.
    """
    targets = _targets(frame, target, name)
    if len(frame) < _FEWEST_ROWS or len(frame.columns) <= len(targets):
        raise DataError(
            f"{name}: expected at least {_FEWEST_ROWS} rows with a column beside the target, received {len(frame)} "
            f"rows of {', '.join(frame.columns)}"
        )
    features, notes = _features(frame.drop(targets), text, name)
    x = encode_text_column(frame, features[0].name, name) if features[0].kind == TEXT else encode(frame, features, name)
    pairs = {target: target_values(frame[target], task, name) for target in targets}
    guesses = [describe_guess(target, *pairs[target]) for target in targets if not task]
    y = {target: values for target, (values, _) in pairs.items()}
    labels: Labels = {target: names for target, (_, names) in pairs.items() if names}
    only = targets[0] if len(targets) == 1 else None
    train, test = split_evenly(x, y if only is None else y[only], share_of(test_share))
    named = labels.get(only, ()) if only and isinstance(labels, dict) else labels
    how = {key: value for key, value in (("numbers", numbers), ("words", words)) if value}
    return Dataset(
        name,
        train,
        test,
        named,
        name,
        kind=TABLE,
        columns=features,
        targets=tuple(targets),
        preparation=steps_for(features, **how),
        notes=(*notes, *filter(None, guesses)),
        guesses_classes=bool(only and named and guesses[0]) if not task else False,
    )


def _targets(frame: polars.DataFrame, target: str, where: str) -> list[str]:
    """Return the names of the columns to predict."""
    if not target:
        return [frames.usual_target(frame.columns) or frame.columns[-1]]
    names = [target] if target in frame.columns else [name.strip() for name in target.split(",")]
    frames.require_columns(where, frame.columns, names)
    return names


def _features(frame: polars.DataFrame, text: str, where: str) -> tuple[tuple[Column, ...], tuple[str, ...]]:
    """Return the columns that a model reads, and a sentence for those that are left out.

    Raises:
        DataError: no column is left, or there is no column of the name `text`.
    """
    if text:
        frames.require_columns(where, frame.columns, [text])
    columns = () if text else columns_of(frame, where)
    sentences = text or _only_sentences(frame, columns)
    if not sentences:
        return _informative(frame, columns, where)
    others = ", ".join(repr(name) for name in frame.columns if name != sentences)
    note = f"Left out, because {sentences!r} alone is read: {others}."
    return (Column(sentences, TEXT),), (note,) if others else ()


def _only_sentences(frame: polars.DataFrame, columns: Sequence[Column]) -> str:
    """Return the name of the column of sentences where no other says anything about a row; else an empty string."""
    fewest = _MOST_DISTINCT * len(frame)
    distinct = [column.name for column in columns if column.kind == WORDS and len(column.words) >= fewest]
    sentences = [name for name in distinct if is_sentences(frame[name])]
    others = [column for column in columns if column.name not in sentences]
    return sentences[0] if len(sentences) == 1 and all(_why_left_out(frame, column) for column in others) else ""


def _informative(
    frame: polars.DataFrame, columns: Sequence[Column], where: str
) -> tuple[tuple[Column, ...], tuple[str, ...]]:
    """Return the columns that say something about a row, and a sentence for each other one.

    Raises:
        DataError: no column is left.
    """
    reasons = {column.name: _why_left_out(frame, column) for column in columns}
    informative = tuple(column for column in columns if not reasons[column.name])
    if not informative:
        raise DataError(f"{where}: no column can be learned from ({'; '.join(filter(None, reasons.values()))})")
    return informative, tuple(f"Column {name!r} is left out: {reason}." for name, reason in reasons.items() if reason)


def _why_left_out(frame: polars.DataFrame, column: Column) -> str:
    """Return why a column says nothing about a row, or an empty string."""
    cells, rows = frame[column.name], len(frame)
    if cells.null_count() == rows:
        return "it is empty"
    if column.name.lower() in _INDEX_NAMES and _counts_rows(encode(frame, [column], "")[:, 0]):
        return "it counts the rows"
    if column.kind == WORDS and len(column.words) >= max(_FEWEST_DISTINCT, _MOST_DISTINCT * rows):
        hint = f"; `text` {column.name} reads its sentences" if is_sentences(cells) else ""
        return f"{len(column.words):,} of its {rows:,} cells differ{hint}"
    return ""


def _counts_rows(values: np.ndarray) -> bool:
    return bool(np.array_equal(values - values[0], np.arange(len(values)))) and values[0] in (0, 1)


def target_values(series: polars.Series, task: str, where: str) -> tuple[np.ndarray, tuple[str, ...]]:
    """Return the targets in a column, and the names of their classes; none where they are values.

    Raises:
        DataError: a row has none, or they do not go with the task.
    """
    import polars

    cells = series.cast(polars.String).to_list()
    if None in cells:
        raise DataError(f"{where}: row {cells.index(None) + 1} has no {series.name}: give it one, or leave the row out")
    if task and task not in TASKS:
        raise DataError(f"task={task}: expected {' or '.join(TASKS)}")
    (column,) = columns_of(series.to_frame(), where)
    if task == REGRESSION or (column.kind != WORDS and series.dtype.is_float() and not task):
        return _values(series, column, where), ()
    if task == CLASSIFICATION:
        return parse_classes(cells)
    values, names = parse_targets(cells)
    if len(names) > MAX_CLASSES and len(names) > len(cells) / 2:
        raise DataError(
            f"{where}: {len(names):,} of the {len(cells):,} cells of {frames.titled(series.name)} differ, which are no "
            "classes: name the column to predict by `target`"
        )
    if not names:
        values = _values(series, column, where)
    return values, names


def describe_guess(target: str, values: np.ndarray, names: tuple[str, ...]) -> str:
    """Return a sentence on what integers were taken for, since a table does not say; empty for other targets."""
    if names and all(name.lstrip("+-").isdecimal() for name in names):
        return f"The {len(names)} integers in {target!r} are taken as classes; `task` regression takes them as values."
    if not names and np.array_equal(values, np.rint(values)):
        return f"The integers in {target!r} are taken as values; `task` classification takes them as classes."
    return ""


def _values(series: polars.Series, column: Column, where: str) -> np.ndarray:
    if column.kind == WORDS:
        raise DataError(
            f"{where}: {frames.titled(series.name)} holds words such as {column.words[0]!r}: expected numbers"
        )
    values = encode(series.to_frame(), [column], where)[:, 0]
    if not np.isfinite(values).all():
        row = int(np.flatnonzero(~np.isfinite(values))[0]) + 1
        raise DataError(
            f"{where}: row {row} of {frames.titled(series.name)} holds no number: give it one, or leave the row out"
        )
    return values
