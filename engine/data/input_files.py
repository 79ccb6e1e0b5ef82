"""Reads the input files of a prediction, by their suffix, into arrays."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ...errors import DataError
from .digit_images import read_digit
from .sources.files import PICTURES, read_array, read_rows, to_numbers


def read(path: Path) -> np.ndarray:
    """Read the samples in an `.npy` or `.csv` file, or the digit in a picture.

    Returns:
        (n, …): a picture gives (1, 28, 28) uint8; a table gives (n,) float64 for one column, (n, columns) for more.

    Raises:
        DataError: the file is missing, damaged, of another kind, or holds anything but finite numbers.
    """
    ending = path.suffix.lower()
    if ending in PICTURES:
        return read_digit(path)[None]
    if ending == ".npy":
        return read_array(path)
    if ending == ".csv":
        return read_table(path)
    raise DataError(f"{path}: expected .npy, .csv, {', '.join(PICTURES)}")


def read_table(path: Path) -> np.ndarray:
    """Read the numbers in a comma-separated table; a first row without numbers is the header.

    Returns:
        (rows,) float64 for one column, (rows, columns) for more.

    Raises:
        DataError: the file is missing, ragged, or holds anything but finite numbers.
    """
    table = to_numbers(path, read_rows(path)[1])
    return table[:, 0] if table.shape[1] == 1 else table
