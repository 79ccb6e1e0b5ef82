"""A user's own data: `.npz` arrays, a `.csv` table with a label column, a folder of pictures by class.

Nothing in a file is unpickled or run; a damaged one is one line.
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
from .labels import from_words, is_number, number_classes

PICTURES = (".png", ".jpg", ".jpeg")
# What Pillow raises on bytes that are not a picture's; more pixels than a picture has are an error of their own.
PICTURE_DAMAGE = (UnidentifiedImageError, OSError, SyntaxError, ValueError, OverflowError, struct.error)


def read_npz(path: Path, *, name: str | None = None) -> Dataset:
    """A dataset from an `.npz` file with `x_train`, `y_train` and, if it has a test split, `x_test`, `y_test`.

    `x` and `y` alone are taken for training data. Nothing in the file is unpickled. Integers in y, (n,) or (n, 1), are
    classes: they are numbered from 0, and what they were is kept as their names. They stay values where they are more
    than 1,000 different ones, or where x is a series.

    Raises:
        DataError: missing, truncated, arrays missing, not numbers, not finite, or of unequal length.
    """
    train, test = read_splits(path)
    train, test, labels = number_classes(train, test)
    return Dataset(name or str(path), train, test, labels, str(path))


def read_splits(path: Path) -> tuple[Split, Split | None]:
    """The training and test split in an `.npz` file, as they are.

    Raises:
        DataError: as `read_npz`.
    """
    arrays = _read_arrays(path)
    if "x" in arrays and "x_train" not in arrays:
        arrays = {f"{key}_train": value for key, value in arrays.items()}
    missing = [key for key in ("x_train", "y_train") if key not in arrays]
    if missing:
        raise DataError(f"{path}: no {' and no '.join(missing)} in it (it has: {', '.join(arrays) or 'nothing'})")
    train = _checked_split(path, arrays, "train")
    test = _checked_split(path, arrays, "test") if {"x_test", "y_test"} <= arrays.keys() else None
    return train, test


def read_array(path: Path) -> np.ndarray:
    """The one array in an `.npy` file; nothing is unpickled.

    Raises:
        DataError: missing, truncated, not numbers, not finite, or empty.
    """
    _require_file(path)
    array = safe_arrays.read_npy(path)
    require_numbers(array, str(path))
    return array


def require_numbers(array: np.ndarray, where: str) -> None:
    """Raise a DataError unless the array is non-empty and all of it finite numbers."""
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


def _checked_split(path: Path, arrays: dict[str, np.ndarray], part: str) -> Split:
    x, y = arrays[f"x_{part}"], arrays[f"y_{part}"]
    require_numbers(x, f"{path}: x_{part}")
    require_numbers(y, f"{path}: y_{part}")
    if len(x) != len(y):
        raise DataError(f"{path}: x_{part} has {len(x)} samples but y_{part} has {len(y)}")
    return Split(x, y)


def read_labelled_table(path: Path) -> Dataset:
    """A dataset from a comma-separated table: numbers, and the class or value of each row in its last column.

    A column called `label`, `class`, `target` or `y` is taken instead of the last. Words are classes, in alphabetical
    order; so are integers, in their own order, unless hardly any occurs twice. A fifth of the rows, spread evenly over
    each class, is the test split.

    Raises:
        DataError: missing, ragged, or holding something that is no finite number beside the labels.
    """
    header, rows = read_rows(path)
    if len(rows) < 5 or len(rows[0]) < 2:
        raise DataError(f"{path}: expected at least 5 rows of numbers with a label, received {len(rows)} rows")
    names = [name.strip().lower() for name in header]
    column = next((names.index(name) for name in ("label", "class", "target", "y") if name in names), len(rows[0]) - 1)
    words = [row[column].strip() for row in rows]
    numbers = [[cell for place, cell in enumerate(row) if place != column] for row in rows]
    x = to_numbers(path, numbers)
    y, labels = from_words(words)
    require_numbers(y, f"{path}: column {column + 1}")
    train, test = split_evenly(x, y)
    return Dataset(str(path), train, test, labels, str(path))


def read_picture_folder(path: Path) -> Dataset:
    """A dataset from a folder that has one folder of pictures for each class; all pictures of one size, read as grey.

    The classes are the folders' names in alphabetical order. A fifth of each class' pictures is the test split.

    Returns:
        Images (n, height, width) uint8.

    Raises:
        DataError: no folders with pictures in it, or pictures that cannot be read or are of different sizes.
    """
    classes = sorted(folder for folder in path.iterdir() if folder.is_dir() and not folder.name.startswith("."))
    found = [(file, number) for number, folder in enumerate(classes) for file in _pictures(folder)]
    if len({number for _, number in found}) < 2:
        raise DataError(
            f"{path}: expected a folder for each of two classes or more, with {', '.join(PICTURES)} in them"
        )
    images = [_read_grey(file) for file, _ in found]
    for (file, _), image in zip(found, images, strict=True):
        if image.shape != images[0].shape:
            raise DataError(
                f"{file} has {image.shape} pixels, {found[0][0]} has {images[0].shape}: bring them to one size"
            )
    train, test = split_evenly(np.stack(images), np.array([number for _, number in found]))
    return Dataset(str(path), train, test, tuple(folder.name for folder in classes), str(path))


def read_rows(path: Path) -> tuple[list[str], list[list[str]]]:
    """The header (empty when the first row holds a number) and the rows of a comma-separated table.

    Raises:
        DataError: missing, not text, ragged.
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
    """The cells of a table as (rows, columns) float64.

    Raises:
        DataError: a cell is no finite number, or there are none.
    """
    for number, row in enumerate(rows):
        for cell in row:
            if not is_number(cell):
                raise DataError(f"{path}: row {number + 1} holds {cell!r}, expected a number")
    table = np.array(rows, "float64")
    require_numbers(table, str(path))
    return table


def _pictures(folder: Path) -> list[Path]:
    return sorted(file for file in folder.iterdir() if file.suffix.lower() in PICTURES)


def _read_grey(path: Path) -> np.ndarray:
    try:
        with Image.open(path) as picture:
            return np.asarray(picture.convert("L"))
    except (*PICTURE_DAMAGE, Image.DecompressionBombError) as error:
        raise DataError(f"{path}: not a picture that can be read ({error})") from error
