"""A user's own data: `.npz` arrays, a `.csv` table with a label column, a folder of pictures by class.

Nothing in a file is unpickled or run. A damaged file raises an error of one line.
"""

from __future__ import annotations

import csv
import struct
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from ....errors import DataError
from ....storage import safe_arrays
from ..dataset import Dataset, Split, split_evenly
from .labels import is_number, number_classes, parse_targets

PICTURES = (".png", ".jpg", ".jpeg")
# What Pillow raises on damaged bytes; too many pixels raise `Image.DecompressionBombError` instead.
PICTURE_ERRORS = (UnidentifiedImageError, OSError, SyntaxError, ValueError, OverflowError, struct.error)


def read_npz(path: Path, *, name: str | None = None) -> Dataset:
    """Read a dataset from an `.npz` file with `x_train`, `y_train` and, for a test split, `x_test`, `y_test`.

    `x` and `y` alone are training data. Nothing in the file is unpickled. Integers in y, (n,) or (n, 1), are classes:
    they are numbered from 0, and the original numbers become their names. They stay values where there are more than
    1,000 distinct ones, or where x is a series.

    Raises:
        DataError: the file is missing or truncated; an array is missing, not numeric, not finite, or of another length.
    """
    train, test = read_splits(path)
    train, test, labels = number_classes(train, test)
    return Dataset(name or str(path), train, test, labels, str(path))


def read_splits(path: Path) -> tuple[Split, Split | None]:
    """Read the training and test split in an `.npz` file, without numbering classes.

    Raises:
        DataError: as `read_npz`.
    """
    arrays = _read_arrays(path)
    if "x" in arrays and "x_train" not in arrays:
        arrays = {f"{key}_train": value for key, value in arrays.items()}
    missing = [key for key in ("x_train", "y_train") if key not in arrays]
    if missing:
        raise DataError(f"{path}: no {' and no '.join(missing)} in it (it has: {', '.join(arrays) or 'nothing'})")
    train = _read_split(path, arrays, "train")
    test = _read_split(path, arrays, "test") if {"x_test", "y_test"} <= arrays.keys() else None
    return train, test


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


def read_labelled_table(path: Path) -> Dataset:
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
    label_column = next(
        (names.index(name) for name in ("label", "class", "target", "y") if name in names), len(rows[0]) - 1
    )
    cells = [row[label_column].strip() for row in rows]
    numbers = [[cell for column, cell in enumerate(row) if column != label_column] for row in rows]
    x = to_numbers(path, numbers)
    y, labels = parse_targets(cells)
    require_numbers(y, f"{path}: column {label_column + 1}")
    train, test = split_evenly(x, y)
    return Dataset(str(path), train, test, labels, str(path))


def read_picture_folder(path: Path) -> Dataset:
    """Read a dataset from a folder with one subfolder of pictures per class.

    The pictures have one size and are read as grey. The classes are the names of the subfolders in alphabetical order.
    A fifth of the pictures of each class is the test split.

    Returns:
        Images (n, height, width) uint8.

    Raises:
        DataError: there are no subfolders with pictures, or the pictures cannot be read or differ in size.
    """
    classes = sorted(folder for folder in path.iterdir() if folder.is_dir() and not folder.name.startswith("."))
    pictures = [(file, number) for number, folder in enumerate(classes) for file in _picture_files(folder)]
    if len({number for _, number in pictures}) < 2:
        raise DataError(
            f"{path}: expected a folder for each of two classes or more, with {', '.join(PICTURES)} in them"
        )
    images = [_read_grey(file) for file, _ in pictures]
    for (file, _), image in zip(pictures, images, strict=True):
        if image.shape != images[0].shape:
            raise DataError(
                f"{file} has {image.shape} pixels, {pictures[0][0]} has {images[0].shape}: bring them to one size"
            )
    train, test = split_evenly(np.stack(images), np.array([number for _, number in pictures]))
    return Dataset(str(path), train, test, tuple(folder.name for folder in classes), str(path))


def read_rows(path: Path) -> tuple[list[str], list[list[str]]]:
    """Return the header of a comma-separated table (empty when the first row holds a number) and its rows.

    Raises:
        DataError: the file is missing, not text, or ragged.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as lines:
            rows = [row for row in csv.reader(lines) if row]
    except FileNotFoundError:
        raise DataError(f"{path}: no such file") from None
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path}: cannot be read as a table ({error})") from error
    header = rows.pop(0) if rows and not any(is_number(cell) for cell in rows[0]) else []
    if len({len(row) for row in rows}) > 1:
        raise DataError(f"{path}: its rows have between {min(map(len, rows))} and {max(map(len, rows))} columns")
    return header, rows


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


def _picture_files(folder: Path) -> list[Path]:
    return sorted(file for file in folder.iterdir() if file.suffix.lower() in PICTURES)


def _read_grey(path: Path) -> np.ndarray:
    try:
        with Image.open(path) as picture:
            return np.asarray(picture.convert("L"))
    except (*PICTURE_ERRORS, Image.DecompressionBombError) as error:
        raise DataError(f"{path}: not a picture that can be read ({error})") from error
