"""A table of paths and labels: each row names a picture file and its class or value."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ...errors import DataError
from ...storage.regular_file import read_regular
from ..dataset import TEST_SHARE, Dataset
from ..tables.frames import LABEL_COLUMNS, TEXT_ENDINGS, read_frame, require_columns, typed_columns, usual_target
from ..tables.table import in_memory
from ..tables.targets import describe_guess, target_values
from .labelled import read_labelled_pictures
from .picture_file import SUFFIXES
from .picture_settings import PictureSettings

if TYPE_CHECKING:
    import polars

# The names of the column with the paths.
PATH_COLUMNS = ("path", "file", "filename", "image")

_FIRST_BYTES = 65_536


def is_picture_table(frame: polars.DataFrame) -> bool:
    """Return whether a table has a column of paths: one of `PATH_COLUMNS` with cells that end as pictures do."""
    return _path_column(frame) is not None


def names_pictures(path: Path) -> bool:
    """Return whether a file holds a table of pictures.

    Of a large file in text the beginning is enough to deny it, of a typed one the names of its columns.

    Raises:
        DataError: the table cannot be read.
    """
    return _may_name_pictures(path) and is_picture_table(read_frame(path, PATH_COLUMNS))


def _may_name_pictures(path: Path) -> bool:
    """Return whether a table may name pictures, by the beginning of a text or the names of typed columns."""
    if path.suffix.lower() not in TEXT_ENDINGS:
        return bool({*PATH_COLUMNS} & {name.strip().lower() for name in typed_columns(path)})
    if not path.is_file():
        return False
    start = read_regular(path, _FIRST_BYTES).lower()
    return any(suffix.encode() in start for suffix in SUFFIXES)


def read_picture_table(
    path: Path,
    target: str = "",
    task: str = "",
    test_share: str = str(TEST_SHARE),
    size: str = "",
    fit: str = "",
    skip_broken: str = "no",
    stored: str = "",
) -> Dataset:
    """Read a dataset from a table that names pictures, by paths relative to the table, and their classes or values.

    Words are classes, and so are integers, unless hardly any occurs twice; other numbers are values. A fifth of the
    rows, stratified by class, or `test_share` of them, is the test split.

    Args:
        target: the column of the classes or values. By default `label`, `class`, `target` or `y`, or else the only
            other column.
        task: `classification` or `regression`, where the rule for integers is not what is meant; else empty.
        size, fit, skip_broken, stored: as for `folder.read_picture_folder`.

    Returns:
        Pictures (n, height, width) or (n, height, width, 3) uint8.

    Raises:
        DataError: the table names no pictures or no targets, or the pictures cannot be read or differ in size.
    """
    settings = PictureSettings.parse(size, fit, test_share, skip_broken, stored)
    frame = read_frame(path)
    paths = _path_column(frame)
    if paths is None:
        raise DataError(
            f"{path}: expected a column of paths to pictures called {', '.join(PATH_COLUMNS)} (it has: "
            f"{', '.join(frame.columns)})"
        )
    files = [path.parent / cell for cell in _cells(path, frame, paths)]
    column = _target_column(path, frame, paths, target)
    y, labels = target_values(in_memory(frame, str(path)), column, task)
    dataset = read_labelled_pictures(path, files, y, labels, settings)
    guess = "" if task else describe_guess(column, y, labels)
    return replace(dataset, notes=(*dataset.notes, guess)) if guess else dataset


def _path_column(frame: polars.DataFrame) -> str | None:
    """Return the column of paths to pictures, or None if there is none."""
    names = _by_lower_case(frame.columns)
    return next((names[name] for name in PATH_COLUMNS if name in names and _are_pictures(frame[names[name]])), None)


def _are_pictures(column: polars.Series) -> bool:
    import polars

    if column.dtype != polars.String:
        return False
    cells = column.drop_nulls().str.strip_chars().str.to_lowercase().to_list()
    return bool(cells) and all(cell.endswith(SUFFIXES) for cell in cells)


def _target_column(path: Path, frame: polars.DataFrame, paths: str, target: str) -> str:
    """Return the column of the classes or values.

    Raises:
        DataError: there is no such column, or it is not clear which it is.
    """
    others = [column for column in frame.columns if column != paths]
    if target:
        require_columns(str(path), others, [target])
    usual = usual_target(others)
    if not target and not usual and len(others) != 1:
        raise DataError(
            f"{path}: expected a column {', '.join(LABEL_COLUMNS)} beside {paths}, received "
            f"{', '.join(others) or 'none'}: name one by `target`"
        )
    return target or usual or others[0]


def _by_lower_case(columns: Iterable[str]) -> dict[str, str]:
    """Return columns by their names in lower case; of equal names the first."""
    return {column.strip().lower(): column for column in reversed(list(columns))}


def _cells(path: Path, frame: polars.DataFrame, column: str) -> list[str]:
    """Return the cells of a column as text.

    Raises:
        DataError: a cell is empty.
    """
    cells = ["" if cell is None else str(cell).strip() for cell in frame[column]]
    if "" in cells:
        raise DataError(f"{path}: row {cells.index('') + 1} has no {column}: give it one, or leave the row out")
    return cells
