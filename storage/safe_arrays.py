"""NumPy's array files that may be hostile: nothing is unpickled, and no memory is taken before a header is checked."""

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
# What NumPy raises on bytes that are not its own; it reads an array's header as Python text, which it does not run.
_DAMAGE = (OSError, ValueError, EOFError, KeyError, TypeError, RuntimeError, SyntaxError, tokenize.TokenError)
_UNREADABLE = "cannot be read as arrays, truncated or not NumPy's"


def read_npz(source: Path | bytes, what: str) -> dict[str, np.ndarray]:
    """The arrays in an `.npz` archive by their name.

    Args:
        source: a file, or its bytes.
        what: the file, for the message.

    Raises:
        FileError: it is none, was truncated, holds pickled objects, or is a hostile archive.
    """
    try:
        with safe_zip.opened(source, what) as archive:
            return {
                name.removesuffix(".npy"): _parse(safe_zip.read(archive, name, what), f"{what}: {name}")
                for name in archive.namelist()
            }
    except FileError as error:
        if _UNREADABLE in str(error):
            raise
        if isinstance(source, Path) and _is_single(source):
            raise FileError(f"{what}: one array, expected an archive of several: save it by np.savez") from error
        raise FileError(f"{what}: {_UNREADABLE} ({str(error).removeprefix(what).strip(': ')})") from error


def read_npy(path: Path) -> np.ndarray:
    """The array in an `.npy` file.

    Raises:
        FileError: it is none, was truncated, or holds pickled objects.
    """
    try:
        with path.open("rb") as file:
            return _read(file, path.stat().st_size, str(path))
    except OSError as error:
        raise FileError(f"cannot read {path}: {error.strerror or error}") from error


def _is_single(path: Path) -> bool:
    """Whether a file holds a single array, as an `.npy` file does."""
    with path.open("rb") as file:
        return file.read(len(np.lib.format.MAGIC_PREFIX)) == np.lib.format.MAGIC_PREFIX


def _parse(content: bytes, what: str) -> np.ndarray:
    return _read(io.BytesIO(content), len(content), what)


def _read(file: BinaryIO, size: int, what: str) -> np.ndarray:
    """The array in `size` bytes, which must be as many as its header says."""
    try:
        version = np.lib.format.read_magic(file)
        if version not in _HEADERS:  # the third only has field names that are no Latin letters
            raise ValueError(f"version {version}")
        shape, _, dtype = _HEADERS[version](file)
        if dtype.hasobject:
            raise FileError(f"{what}: {_UNREADABLE} (it holds pickled objects, which could run code: save numbers)")
        expected = math.prod(shape) * dtype.itemsize
        if min(shape, default=0) < 0 or expected != size - file.tell():
            raise ValueError(f"{expected:,} bytes of shape {shape} expected, there are {size - file.tell():,}")
        file.seek(0)
        array: np.ndarray = np.lib.format.read_array(file, allow_pickle=False)
        return array
    except _DAMAGE as error:
        raise FileError(f"{what}: {_UNREADABLE} ({first_line(error, 200)})") from error
