"""A user's own data: `.npz` arrays, and a `.csv` table with a label column.

Nothing in a file is unpickled or run. A damaged file raises an error of one line.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from ...errors import DataError
from ...storage import safe_arrays
from ..dataset import TABLE, TEST_SHARE, Dataset, Split, share_of, split_evenly
from .labels import is_number, number_classes, parse_targets

# The names of the column with the labels, unless it is the last.
LABEL_COLUMNS = ("label", "class", "target", "y")

_DECIMAL_COMMA = re.compile(r"^([+-]?\d*),(\d+(?:[eE][+-]?\d+)?)$")
# The endings of arrays: of the training data, the test split, and the split to validate on.
_PARTS = ("train", "test", "val")


def read_npz(path: Path) -> Dataset:
    """Read a dataset from an `.npz` file with `x_train`, `y_train`, and for further parts `x_test`, `x_val`, ….

    `x` and `y` alone are training data. Nothing in the file is unpickled. Integers in y, (n,) or (n, 1), are classes:
    they are numbered from 0, and the original numbers become their names. They stay values where there are more than
    1,000 distinct ones, or where x is a series.

    Other names, such as `price_train` and `price_test`, are those of a model's inputs and outputs. Their dataset does
    not say which are targets; see `assignment.assign`.

    Raises:
        DataError: the file is missing or truncated; an array is missing, not numeric, not finite, or of another length.
    """
    arrays = _read_arrays(path)
    if not _is_named_x_and_y(arrays) and len(_named(arrays, "train")) > 1:
        train, test, validation = (_read_named_split(path, arrays, part) for part in _PARTS)
        assert train
        return Dataset(str(path), train, test, (), str(path), validation=validation)
    train, test = _splits_of(path, arrays)
    validation = _read_split(path, arrays, "val") if {"x_val", "y_val"} <= arrays.keys() else None
    (numbered, test, validation), labels = number_classes(train, test, validation)
    assert numbered
    return Dataset(str(path), numbered, test, labels, str(path), validation=validation)


def read_splits(path: Path) -> tuple[Split, Split | None]:
    """Read the training and test split in an `.npz` file, without numbering classes.

    Raises:
        DataError: as `read_npz`.
    """
    return _splits_of(path, _read_arrays(path))


def _splits_of(path: Path, arrays: dict[str, np.ndarray]) -> tuple[Split, Split | None]:
    if "x" in arrays and "x_train" not in arrays:
        arrays = {f"{key}_train": value for key, value in arrays.items()}
    missing = [key for key in ("x_train", "y_train") if key not in arrays]
    if missing:
        raise DataError(f"{path}: no {' and no '.join(missing)} in it (it has: {', '.join(arrays) or 'nothing'})")
    train = _read_split(path, arrays, "train")
    test = _read_split(path, arrays, "test") if {"x_test", "y_test"} <= arrays.keys() else None
    return train, test


def read_named_arrays(path: Path) -> dict[str, np.ndarray]:
    """Read the arrays in an `.npz` file by name: those of the test split if it has splits, else all.

    Raises:
        DataError: the file is missing or truncated; an array is not numeric, not finite, or of another length.
    """
    arrays = _read_arrays(path)
    part = "test" if _named(arrays, "test") else "train"
    split = _read_named_split(path, arrays, part)
    assert split
    return dict(split.x)


def _is_named_x_and_y(arrays: Mapping[str, np.ndarray]) -> bool:
    return {"x_train", "y_train"} <= arrays.keys() or {"x", "y"} & arrays.keys() != set()


def _named(arrays: Mapping[str, np.ndarray], part: str) -> dict[str, np.ndarray]:
    """Return the arrays of a part by the name before its ending; those without an ending are training data."""
    ending = f"_{part}"
    named = {name.removesuffix(ending): array for name, array in arrays.items() if name.endswith(ending)}
    if part == "train" and not any(name.endswith(tuple(f"_{part}" for part in _PARTS)) for name in arrays):
        return dict(arrays)
    return named


def _read_named_split(path: Path, arrays: Mapping[str, np.ndarray], part: str) -> Split | None:
    """Return the named arrays of a part as inputs, with no target among them yet; None if there are none."""
    named = _named(arrays, part)
    for name, array in named.items():
        require_numbers(array, f"{path}: {name}_{part}")
    lengths = {name: len(array) for name, array in named.items()}
    if len(set(lengths.values())) > 1:
        listed = ", ".join(f"{name} {length}" for name, length in lengths.items())
        raise DataError(f"{path}: the arrays of {part} have different numbers of samples ({listed})")
    return Split(named, {}) if named else None


def read_array(path: Path) -> np.ndarray:
    """Read the array in an `.npy` file; nothing is unpickled.

    Raises:
        DataError: the file is missing or truncated; the array is not numeric, not finite, or empty.
    """
    _require_file(path)
    array = safe_arrays.read_npy(path)
    require_numbers(array, str(path))
    return array


def require_numbers(array: np.ndarray, where: str) -> None:
    """Raise a DataError unless the array is not empty and holds only finite numbers."""
    if array.dtype.kind not in "biuf":
        raise DataError(f"{where}: expected numbers, received dtype {array.dtype}")
    if array.ndim == 0 or len(array) == 0:
        raise DataError(f"{where}: there is no sample in it (shape {array.shape})")
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        bad = np.argwhere(~np.isfinite(array))
        raise DataError(
            f"{where}: {len(bad)} of its values are NaN or infinite, the first at index {tuple(map(int, bad[0]))}"
        )


def _read_arrays(path: Path) -> dict[str, np.ndarray]:
    _require_file(path)
    return safe_arrays.read_npz(path, str(path))


def _require_file(path: Path) -> None:
    if not path.is_file():
        raise DataError(f"{path}: no such file")


def _read_split(path: Path, arrays: dict[str, np.ndarray], part: str) -> Split:
    x, y = arrays[f"x_{part}"], arrays[f"y_{part}"]
    require_numbers(x, f"{path}: x_{part}")
    require_numbers(y, f"{path}: y_{part}")
    if len(x) != len(y):
        raise DataError(f"{path}: x_{part} has {len(x)} samples but y_{part} has {len(y)}")
    return Split(x, y)


def read_labelled_table(path: Path, test_share: str = str(TEST_SHARE)) -> Dataset:
    """Read a dataset from a comma-separated table of numbers whose last column is the class or value of each row.

    A column called `label`, `class`, `target` or `y` is used instead of the last. Words are classes, in alphabetical
    order. Integers are classes too, in numerical order, unless hardly any occurs twice. A fifth of the rows, stratified
    by class, is the test split.

    Raises:
        DataError: the file is missing, ragged, or a cell beside the labels is not a finite number.
    """
    header, rows = read_rows(path)
    if len(rows) < 5 or len(rows[0]) < 2:
        raise DataError(f"{path}: expected at least 5 rows of numbers with a label, received {len(rows)} rows")
    names = [name.strip().lower() for name in header]
    label_column = next((names.index(name) for name in LABEL_COLUMNS if name in names), len(rows[0]) - 1)
    cells = [row[label_column].strip() for row in rows]
    if "" in cells:
        raise DataError(f"{path}: row {cells.index('') + 1} has no label: give it one, or leave the row out")
    numbers = [[cell for column, cell in enumerate(row) if column != label_column] for row in rows]
    x = to_numbers(path, numbers)
    y, labels = parse_targets(cells)
    require_numbers(y, f"{path}: column {label_column + 1}")
    train, test = split_evenly(x, y, share_of(test_share))
    columns = tuple(name.strip() for column, name in enumerate(header) if column != label_column)
    return Dataset(str(path), train, test, labels, str(path), kind=TABLE, columns=columns)


def read_rows(path: Path) -> tuple[list[str], list[list[str]]]:
    """Return the header of a table (empty if it has none) and its rows.

    Commas, semicolons or tabs separate the cells; with semicolons, a number may have a decimal comma. The first row is
    the header if it holds no number, one of `LABEL_COLUMNS`, or a word above a column of numbers.

    Raises:
        DataError: the file is missing, not text, or ragged.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as lines:
            rows = _split_cells(lines.read())
    except FileNotFoundError:
        raise DataError(f"{path}: no such file") from None
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path}: cannot be read as a table ({error})") from error
    header = rows.pop(0) if rows and _is_header(rows[0], rows[1:]) else []
    if len({len(row) for row in rows}) > 1:
        raise DataError(f"{path}: its rows have between {min(map(len, rows))} and {max(map(len, rows))} columns")
    return header, rows


def _split_cells(text: str) -> list[list[str]]:
    """Return the cells of each row that is not empty."""
    first = text.lstrip().partition("\n")[0]
    separator = next((mark for mark in (";", "\t") if mark in first), ",")
    rows = [row for row in csv.reader(io.StringIO(text, newline=""), delimiter=separator) if row]
    if separator != ";":
        return rows
    return [[_DECIMAL_COMMA.sub(r"\1.\2", cell.strip()) for cell in row] for row in rows]


def _is_header(first: list[str], rows: list[list[str]]) -> bool:
    if not any(is_number(cell) for cell in first):
        return True
    if any(cell.strip().lower() in LABEL_COLUMNS for cell in first):
        return True
    return any(
        not is_number(cell) and all(len(row) > column and is_number(row[column]) for row in rows)
        for column, cell in enumerate(first)
    )


def to_numbers(path: Path, rows: list[list[str]]) -> np.ndarray:
    """Convert the cells of a table to (rows, columns) float64.

    Raises:
        DataError: a cell is not a finite number, or the table is empty.
    """
    for number, row in enumerate(rows):
        for cell in row:
            if not is_number(cell):
                raise DataError(f"{path}: row {number + 1} holds {cell!r}, expected a number")
    table = np.array(rows, "float64")
    require_numbers(table, str(path))
    return table
