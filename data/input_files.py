"""Reads the input files of a prediction, by their suffix, into arrays."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..errors import DataError
from ..storage.regular_file import require_regular
from .columns import TEXT, Column
from .digit_images import read_pixels
from .nests import Nest
from .pictures.picture_file import SUFFIXES
from .sources.files import read_array, read_named_arrays, require_numbers
from .tables import frames
from .tables.encoding import encode
from .tables.text_column import encode_text_column

if TYPE_CHECKING:
    import polars


def read(path: Path, columns: Sequence[Column] = (), read_picture: Callable[[Path], np.ndarray] = read_pixels) -> Nest:
    """Read the samples in a file of arrays, a folder of `.npy` files, a table or a picture.

    Args:
        path: the file or folder.
        columns: those of a table that the model takes, in order; empty takes all of them, which must hold numbers.
        read_picture: reads the samples in a picture file, (n, …).

    Returns:
        (n, …): a picture gives each digit in it, (n, 28, 28) uint8; a table gives (n, columns) float64, without
        `columns` (n,) for a single one. Named arrays are a dictionary, for a model of several inputs; of
        `price_train` and `price_test` the latter, as `price`.

    Raises:
        DataError: the file is missing, damaged, of another kind, or an array holds anything but finite numbers; a
            table lacks a column, or a cell is not of its column's kind.
    """
    ending = path.suffix.lower()
    if path.is_dir():
        return _read_folder(path)
    require_regular(path)
    if ending in SUFFIXES:
        return read_picture(path)
    if ending == ".npy":
        return read_array(path)
    if ending in (".npz", ".safetensors"):
        return read_named_arrays(path)
    if ending in frames.ENDINGS:
        frame = frames.read_frame(path)
        return encode_rows(frame, columns, str(path)) if columns else _all_numbers(frame, str(path))
    raise DataError(f"{path}: expected .npy, .npz, .safetensors, {', '.join((*frames.ENDINGS, *SUFFIXES))}")


def _read_folder(path: Path) -> Nest:
    """Return the arrays in a folder of `.npy` files by name."""
    if not any(path.glob("*.npy")):
        raise DataError(f"{path} is a folder without .npy files: name the files in it, such as {path}/*")
    return read_named_arrays(path)


def encode_rows(frame: polars.DataFrame, columns: Sequence[Column], where: str) -> np.ndarray:
    """Return the rows of a frame as the raw samples of a model that takes these columns, (rows, columns) float64.

    The frame may have them in any order, and others beside them; without a header it has exactly these.

    Raises:
        DataError: a column is missing, or a cell is not of its column's kind.
    """
    names = [column.name for column in columns]
    if frames.is_nameless(frame.columns) and not frames.is_nameless(names):
        if len(frame.columns) != len(columns):
            raise DataError(
                f"{where} has {len(frame.columns)} columns, the model takes {len(columns)}: {', '.join(names)}"
            )
        frame = frame.rename(dict(zip(frame.columns, names, strict=True)))
    if columns[0].kind == TEXT:
        return encode_text_column(frame, columns[0].name, where)
    return encode(frame, columns, where)


def _all_numbers(frame: polars.DataFrame, where: str) -> np.ndarray:
    """Return the numbers in a frame: (rows,) float64 for one column, (rows, columns) for more."""
    table = encode(frame, [Column(name) for name in frame.columns], where)
    require_numbers(table, where)
    return table[:, 0] if table.shape[1] == 1 else table
