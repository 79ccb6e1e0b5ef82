"""Files that a model can be asked about, read into arrays by what their names end in."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ...errors import DataError
from .digit_images import read_digit
from .sources.files import PICTURES, read_array, read_rows, to_numbers


def read(path: Path) -> np.ndarray:
    """The samples in an `.npy` or `.csv` file, or the digit in a picture.

    Returns:
        (n, …): a picture gives (1, 28, 28) uint8; a table with one column (n,) float64, with more (n, columns).

    Raises:
        DataError: missing, of another kind, damaged, or not finite numbers.
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
    """The numbers in a comma-separated table; a first row that holds words is taken for the header.

    Returns:
        (rows,) float64 for one column, (rows, columns) for more.

    Raises:
        DataError: missing, ragged, or holding something that is no finite number.
    """
    table = to_numbers(path, read_rows(path)[1])
    return table[:, 0] if table.shape[1] == 1 else table
