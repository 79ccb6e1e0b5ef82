"""Arrays by name in a file or a folder: loaded, or left where they are if they are large.

An array that is left in its file is read row by row while a model trains on it; see `deferred_array`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from ...errors import DataError
from ...storage import array_file, safe_arrays
from ...storage.array_file import ArrayFile
from ..deferred_array import DeferredArray
from ..stored import is_stored

Arrays = dict[str, np.ndarray]


def read_archive(path: Path, stored: str = "") -> Arrays:
    """Read the arrays of an `.npz` archive by name; compressed arrays are always loaded.

    Args:
        stored: `yes` leaves the arrays in the file, `no` loads them; by default large ones are left there.

    Raises:
        FileError: the file is no such archive, was truncated, holds pickled objects, or is hostile.
        DataError: the archive is compressed and its arrays are to stay in it; another value of `stored`.
    """
    if not is_stored(path.stat().st_size, stored):
        return safe_arrays.read_npz(path, str(path))
    files = array_file.open_npz(path)
    if stored and not files:
        raise DataError(f"{path} is compressed, so that its rows cannot be read one by one: save it by np.savez")
    names = [name for name in safe_arrays.names(path, str(path)) if name not in files]
    return _deferred(files) | safe_arrays.read_npz(path, str(path), names)


def read_folder(path: Path, stored: str = "") -> Arrays:
    """Read the `.npy` files of a folder by the names of the files.

    Raises:
        FileError: a file is no such array, was truncated, or holds pickled objects.
        DataError: another value of `stored`.
    """
    files = sorted(path.glob("*.npy"))
    if not is_stored(sum(file.stat().st_size for file in files), stored):
        return {file.stem: safe_arrays.read_npy(file) for file in files}
    return _deferred({file.stem: array_file.open_npy(file) for file in files})


def read_safetensors(path: Path, stored: str = "") -> Arrays:
    """Read the arrays of a safetensors file by name.

    Raises:
        FileError: the file is no such file, was truncated, or has a dtype that NumPy has not.
        DataError: another value of `stored`.
    """
    files = array_file.open_safetensors(path)
    if is_stored(path.stat().st_size, stored):
        return _deferred(files)
    return {name: file.read() for name, file in files.items()}


def _deferred(files: Mapping[str, ArrayFile]) -> Arrays:
    """Return the arrays with those of one value per sample loaded: class numbers are looked at all at once."""
    return {
        name: DeferredArray(file) if file.shape[:1] > (0,) and math.prod(file.shape[1:]) > 1 else file.read()  # type: ignore[misc]
        for name, file in files.items()
    }
