"""Reads the input files of a prediction, by their suffix, into arrays."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from ..errors import DataError
from .digit_images import read_digit
from .nests import Nest
from .sources import pictures
from .sources.files import read_array, read_named_arrays, read_rows, to_numbers


def read(path: Path, columns: Sequence[str] = (), read_picture: Callable[[Path], np.ndarray] = read_digit) -> Nest:
    """Read the samples in an `.npy`, `.npz` or `.csv` file, or the one in a picture.

    Args:
        path: the file.
        columns: the names of a table's columns that the model takes, in order; empty takes all of them.
        read_picture: reads the picture in a file.

    Returns:
        (n, …): a picture gives one sample, of a digit (1, 28, 28) uint8; a table gives (n,) float64 for one column,
        (n, columns) for more. An `.npz` file gives a dictionary of its arrays, for a model of several inputs; of
        `price_train` and `price_test` the latter, as `price`.

    Raises:
        DataError: the file is missing, damaged, of another kind, or holds anything but finite numbers; a table lacks a
            column.
    """
    ending = path.suffix.lower()
    if ending in pictures.SUFFIXES:
        return read_picture(path)[None]
    if ending == ".npy":
        return read_array(path)
    if ending == ".npz":
        return read_named_arrays(path)
    if ending == ".csv":
        return read_columns(path, columns) if columns else read_table(path)
    raise DataError(f"{path}: expected .npy, .npz, .csv, {', '.join(pictures.SUFFIXES)}")


def read_columns(path: Path, columns: Sequence[str]) -> np.ndarray:
    """Read some columns of a comma-separated table, by their names, whatever the order of the columns in the file.

    A table without a header has exactly these columns.

    Returns:
        (rows, columns) float64.

    Raises:
        DataError: the file is missing or ragged, lacks a column, or a cell of these columns is not a finite number.
    """
    header, rows = read_rows(path)
    if not header:
        table = to_numbers(path, rows)
        if table.shape[1] != len(columns):
            raise DataError(
                f"{path} has {table.shape[1]} columns, the model takes {len(columns)}: {', '.join(columns)}"
            )
        return table
    names = [name.strip() for name in header]
    if missing := [name for name in columns if name not in names]:
        raise DataError(f"{path} has no column {', '.join(missing)} (it has: {', '.join(names)})")
    places = [names.index(name) for name in columns]
    return to_numbers(path, [[row[place] for place in places] for row in rows])


def read_table(path: Path) -> np.ndarray:
    """Read the numbers in a comma-separated table; a first row without numbers is the header.

    Returns:
        (rows,) float64 for one column, (rows, columns) for more.

    Raises:
        DataError: the file is missing, ragged, or holds anything but finite numbers.
    """
    table = to_numbers(path, read_rows(path)[1])
    return table[:, 0] if table.shape[1] == 1 else table
