"""Files that a model can be asked about, read into arrays by what their names end in."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np

from ..errors import DataError
from .datasets import read_array, require_numbers
from .images import read_digit

PICTURES = (".png", ".jpg", ".jpeg")


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
    try:
        with path.open(newline="", encoding="utf-8-sig") as lines:
            rows = [row for row in csv.reader(lines) if row]
    except FileNotFoundError:
        raise DataError(f"{path}: no such file") from None
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path}: cannot be read as a table ({error})") from error
    if rows and not any(_is_number(cell) for cell in rows[0]):
        del rows[0]
    if len({len(row) for row in rows}) > 1:
        raise DataError(f"{path}: its rows have between {min(map(len, rows))} and {max(map(len, rows))} columns")
    for number, row in enumerate(rows):
        for cell in row:
            if not _is_number(cell):
                raise DataError(f"{path}: row {number + 1} holds {cell!r}, expected a number")
    table = np.array(rows, "float64")
    require_numbers(table, str(path))
    return table[:, 0] if table.shape[1] == 1 else table


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True
