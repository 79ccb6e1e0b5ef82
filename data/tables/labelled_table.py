"""A dataset from a table with a column to predict."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ...errors import DataError
from ...functions import first_of
from ..columns import TEXT
from ..dataset import TABLE, TEST_SHARE, Dataset, Labels, Split, share_of, split_evenly, split_rows
from ..nests import Nest, take
from . import frames
from .encoded_rows import encoded_rows
from .features import choose_features
from .preparation import steps_for
from .survey import Survey
from .table import Table, in_memory, open_table
from .targets import describe_guess, target_values
from .text_column import encode_text_column

if TYPE_CHECKING:
    import polars

_FEWEST_ROWS = 5
_NAMED = 10


def read_labelled_table(
    path: Path,
    target: str = "",
    test_share: str = str(TEST_SHARE),
    task: str = "",
    numbers: str = "",
    words: str = "",
    text: str = "",
    stored: str = "",
) -> Dataset:
    """Read a dataset from a table; see `from_frame`.

    Args:
        stored: `yes` leaves a table of a typed format in its file, `no` loads it; by default a large one is left there.

    Raises:
        DataError: the file is missing or damaged, its columns cannot be used, or it must be loaded and is too large.
        OutputError: the table is left in its file, and the disk has too little space for its rows as numbers.
    """
    return _from_table(open_table(path, stored), target, test_share, task, numbers, words, text)


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
    return _from_table(in_memory(frame, name), target, test_share, task, numbers, words, text)


def _from_table(table: Table, target: str, test_share: str, task: str, numbers: str, words: str, text: str) -> Dataset:
    """Return a dataset whose samples are the rows of a table; see `from_frame`."""
    targets = _targets(table, target)
    if table.rows < _FEWEST_ROWS or len(table.columns) <= len(targets):
        alone = ": separate cells by commas, semicolons or tabs" if len(table.columns) == 1 else ""
        raise DataError(
            f"{table.name}: expected at least {_FEWEST_ROWS} rows with a column beside the target, received "
            f"{table.rows} rows of {first_of(list(table.columns), _NAMED)}{alone}"
        )
    features, notes = choose_features(table, [name for name in table.columns if name not in targets], text)
    columns = tuple(feature.column for feature in features)
    pairs = {target: target_values(table, target, task) for target in targets}
    guesses = [describe_guess(target, *pairs[target]) for target in targets if not task]
    y = {target: values for target, (values, _) in pairs.items()}
    labels: Labels = {target: names for target, (_, names) in pairs.items() if names}
    only = targets[0] if len(targets) == 1 else None
    train, test = _split(table, features, y if only is None else y[only], share_of(test_share))
    named = labels.get(only, ()) if only and isinstance(labels, dict) else labels
    how = {key: value for key, value in (("numbers", numbers), ("words", words)) if value}
    return Dataset(
        table.name,
        train,
        test,
        named,
        table.name,
        kind=TABLE,
        columns=columns,
        targets=tuple(targets),
        preparation=steps_for(columns, **how),
        notes=(*notes, *filter(None, guesses)),
        guesses_classes=bool(only and named and guesses[0]) if not task else False,
    )


def _split(table: Table, features: Sequence[Survey], y: Nest, test_share: float) -> tuple[Split, Split | None]:
    """Return the training and the test split of a table, shuffled as by `split_rows`.

    The rows of a table in its file are written in this order, so that a pass over them reads one after the other.
    """
    if features[0].column.kind == TEXT:
        x = encode_text_column(table.frame(), features[0].column.name, table.name)
    elif not table.is_stored:
        x = encoded_rows(table, features)
    else:
        return _split_stored(table, features, y, test_share)
    return split_evenly(x, y, test_share)


def _split_stored(table: Table, features: Sequence[Survey], y: Nest, test_share: float) -> tuple[Split, Split | None]:
    train, test = split_rows(y, table.rows, test_share)
    if test is None:
        return Split(encoded_rows(table, features), y), None
    assert isinstance(train, np.ndarray)
    x = encoded_rows(table, features, np.concatenate([train, test]))
    parts = x.select(slice(0, len(train))), x.select(slice(len(train), None))
    return Split(parts[0], take(y, train)), Split(parts[1], take(y, test))


def _targets(table: Table, target: str) -> list[str]:
    """Return the names of the columns to predict.

    Raises:
        DataError: the table has no column, or not these.
    """
    if not table.columns:
        raise DataError(f"{table.name}: there is no column in it")
    if not target:
        return [frames.usual_target(table.columns) or table.columns[-1]]
    names = [target] if target in table.columns else [name.strip() for name in target.split(",")]
    frames.require_columns(table.name, table.columns, names)
    return names
