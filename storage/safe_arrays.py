"""Reads NumPy's array files that may be hostile: nothing is unpickled, and headers are checked before allocating."""

from __future__ import annotations

import io
import math
import tokenize
from collections.abc import Collection
from pathlib import Path
from typing import BinaryIO

import numpy as np

from ..errors import FileError, first_line
from . import safe_zip
from .regular_file import open_regular, size_of

_HEADERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
# What NumPy raises on damaged bytes. It parses an array's header as a Python literal, without running it.
_DAMAGE = (OSError, ValueError, EOFError, KeyError, TypeError, RuntimeError, SyntaxError, tokenize.TokenError)
_UNREADABLE = "cannot be read as arrays, truncated or not NumPy's"


def names(source: Path | bytes, label: str) -> list[str]:
    """Return the names of the arrays in an `.npz` archive.

    Raises:
        FileError: the file is no archive, was truncated, or is hostile.
    """
    with safe_zip.open_checked(source, label) as archive:
        return [name.removesuffix(".npy") for name in archive.namelist()]


def read_npz(source: Path | bytes, label: str, wanted: Collection[str] | None = None) -> dict[str, np.ndarray]:
    """Read the arrays in an `.npz` archive, by name.

    Args:
        source: a file, or its bytes.
        label: the name of the file in error messages.
        wanted: the names of the arrays to read; None for all.

    Raises:
        FileError: the file is no such archive, was truncated, holds pickled objects, or is hostile.
    """
    try:
        with safe_zip.open_checked(source, label) as archive:
            return {
                name.removesuffix(".npy"): _parse(safe_zip.read(archive, name, label), f"{label}: {name}")
                for name in archive.namelist()
                if wanted is None or name.removesuffix(".npy") in wanted
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
        with open_regular(path) as file:
            return _read(file, size_of(file), str(path))
    except OSError as error:
        raise FileError(f"cannot read {path}: {error.strerror or error}") from error


def _is_single(path: Path) -> bool:
    """Return whether a file is an `.npy` file, which holds a single array."""
    with open_regular(path) as file:
        return file.read(len(np.lib.format.MAGIC_PREFIX)) == np.lib.format.MAGIC_PREFIX


def _parse(content: bytes, label: str) -> np.ndarray:
    return _read(io.BytesIO(content), len(content), label)


def read_header(file: BinaryIO, size: int, label: str) -> tuple[tuple[int, ...], bool, np.dtype]:
    """Read the header of an array of `size` bytes, header included; the file is left at the first value.

    Returns:
        The shape, whether the values are in Fortran's order, and the dtype in the byte order of the file.

    Raises:
        FileError: there is no such header, it states another size, or the array holds pickled objects.
    """
    try:
        version = np.lib.format.read_magic(file)
        if version not in _HEADERS:  # version 3 only adds field names beyond Latin-1
            raise ValueError(f"version {version}")
        shape, is_fortran, dtype = _HEADERS[version](file)
        if dtype.hasobject:
            raise FileError(f"{label}: {_UNREADABLE} (it holds pickled objects, which could run code: save numbers)")
        expected = math.prod(shape) * dtype.itemsize
        if min(shape, default=0) < 0 or expected != size - file.tell():
            raise ValueError(f"{expected:,} bytes of shape {shape} expected, there are {size - file.tell():,}")
    except _DAMAGE as error:
        raise FileError(f"{label}: {_UNREADABLE} ({first_line(error, 200)})") from error
    return shape, is_fortran, dtype


def _read(file: BinaryIO, size: int, label: str) -> np.ndarray:
    """Read an array of `size` bytes, header included; its header must state the same size."""
    read_header(file, size, label)
    try:
        file.seek(0)
        array: np.ndarray = np.lib.format.read_array(file, allow_pickle=False)
        # Frameworks take numbers in the byte order of the machine only.
        return array.astype(array.dtype.newbyteorder("="), copy=False)
    except _DAMAGE as error:
        raise FileError(f"{label}: {_UNREADABLE} ({first_line(error, 200)})") from error
