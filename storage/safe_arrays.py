"""Reads NumPy's array files that may be hostile: nothing is unpickled, and headers are checked before allocating."""

from __future__ import annotations

import io
import math
import tokenize
from pathlib import Path
from typing import BinaryIO

import numpy as np

from ..errors import FileError, first_line
from . import safe_zip

_HEADERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
# What NumPy raises on damaged bytes. It parses an array's header as a Python literal, without running it.
_DAMAGE = (OSError, ValueError, EOFError, KeyError, TypeError, RuntimeError, SyntaxError, tokenize.TokenError)
_UNREADABLE = "cannot be read as arrays, truncated or not NumPy's"


def read_npz(source: Path | bytes, label: str) -> dict[str, np.ndarray]:
    """Read the arrays in an `.npz` archive, by name.

    Args:
        source: a file, or its bytes.
        label: the name of the file in error messages.

    Raises:
        FileError: the file is no such archive, was truncated, holds pickled objects, or is hostile.
    """
    try:
        with safe_zip.open_checked(source, label) as archive:
            return {
                name.removesuffix(".npy"): _parse(safe_zip.read(archive, name, label), f"{label}: {name}")
                for name in archive.namelist()
            }
    except FileError as error:
        if _UNREADABLE in str(error):
            raise
        if isinstance(source, Path) and _is_single(source):
            raise FileError(f"{label}: one array, expected an archive of several: save it by np.savez") from error
        raise FileError(f"{label}: {_UNREADABLE} ({str(error).removeprefix(label).strip(': ')})") from error


def read_npy(path: Path) -> np.ndarray:
    """Read the array in an `.npy` file.

    Raises:
        FileError: the file is missing, is no such file, was truncated, or holds pickled objects.
    """
    try:
        with path.open("rb") as file:
            return _read(file, path.stat().st_size, str(path))
    except OSError as error:
        raise FileError(f"cannot read {path}: {error.strerror or error}") from error


def _is_single(path: Path) -> bool:
    """Return whether a file is an `.npy` file, which holds a single array."""
    with path.open("rb") as file:
        return file.read(len(np.lib.format.MAGIC_PREFIX)) == np.lib.format.MAGIC_PREFIX


def _parse(content: bytes, label: str) -> np.ndarray:
    return _read(io.BytesIO(content), len(content), label)


def _read(file: BinaryIO, size: int, label: str) -> np.ndarray:
    """Read an array of `size` bytes, header included; its header must state the same size."""
    try:
        version = np.lib.format.read_magic(file)
        if version not in _HEADERS:  # version 3 only adds field names beyond Latin-1
            raise ValueError(f"version {version}")
        shape, _, dtype = _HEADERS[version](file)
        if dtype.hasobject:
            raise FileError(f"{label}: {_UNREADABLE} (it holds pickled objects, which could run code: save numbers)")
        expected = math.prod(shape) * dtype.itemsize
        if min(shape, default=0) < 0 or expected != size - file.tell():
            raise ValueError(f"{expected:,} bytes of shape {shape} expected, there are {size - file.tell():,}")
        file.seek(0)
        array: np.ndarray = np.lib.format.read_array(file, allow_pickle=False)
        # Frameworks take numbers in the byte order of the machine only.
        return array.astype(array.dtype.newbyteorder("="), copy=False)
    except _DAMAGE as error:
        raise FileError(f"{label}: {_UNREADABLE} ({first_line(error, 200)})") from error
