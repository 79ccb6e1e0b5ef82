"""Arrays that stay in their files: rows are read where they lie, by their places.

A file is not mapped into memory. Pages of a mapped file count as memory of the process, and a container may be ended
for them.
"""

from __future__ import annotations

import math
import os
import struct
import zipfile
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import BinaryIO

import numpy as np

from ..errors import FileError, first_line
from . import safe_arrays, safe_json, safe_zip
from .budget import HEADER
from .regular_file import open_regular, size_of

# The dtypes of a safetensors file that NumPy has.
_DTYPES = {
    **{f"F{bits}": f"<f{bits // 8}" for bits in (16, 32, 64)},
    **{f"{code}{bits}": f"<{kind}{bits // 8}" for code, kind in (("I", "i"), ("U", "u")) for bits in (8, 16, 32, 64)},
    "BOOL": "|b1",
}
_LENGTH = struct.Struct("<Q")  # of the header of a safetensors file
# The lengths of the name and of the extra field in the header before a member of a zip archive.
_LOCAL_HEADER = struct.Struct("<26xHH")
# Rows that lie close together are read in one piece: where one in `_SPARSEST` is wanted, or there are `_GAP` bytes for
# each of them, which takes no longer than a call of its own, and the piece is not larger than `_LARGEST_PIECE`.
_SPARSEST = 4
_GAP = 2**13  # bytes
_LARGEST_PIECE = 2**26  # bytes
# A single read is at most of this size: Linux transfers no more than 2 GiB at once.
_LONGEST_READ = 2**30


@dataclass(frozen=True, eq=False)
class ArrayFile:
    """An array in a file, row by row in C order.

    Attributes:
        path: the file.
        name: of the array, for messages.
        offset: of the first value, in bytes.
        shape: (rows, …).
        stored_dtype: in the byte order of the file.
        opened: the open file; None opens it by its path.
    """

    path: Path
    name: str
    offset: int
    shape: tuple[int, ...]
    stored_dtype: np.dtype
    opened: BinaryIO | None = None

    @property
    def dtype(self) -> np.dtype:
        """The dtype of the rows that are read, in the byte order of this machine."""
        return self.stored_dtype.newbyteorder("=")

    @property
    def nbytes(self) -> int:
        """The size in bytes."""
        return math.prod(self.shape) * self.stored_dtype.itemsize

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: slice | np.ndarray) -> np.ndarray:
        """Read rows: a slice of step 1, or an array of row numbers, 0 ≤ number < rows.

        Raises:
            FileError: the file cannot be read, or has become shorter.
        """
        if isinstance(rows, slice):
            start, stop, _ = rows.indices(len(self))
            values = self._empty(max(0, stop - start))
            self._fill(values, start)
        else:
            values = self._gather(rows)
        return np.asarray(values, self.dtype)

    def read(self) -> np.ndarray:
        """Read the whole array.

        Raises:
            FileError: as for rows.
        """
        values = np.empty(self.shape, self.stored_dtype)
        self._fill(values, 0)
        return np.asarray(values, self.dtype)

    def _gather(self, rows: np.ndarray) -> np.ndarray:
        if not len(rows):
            return self._empty(0)
        first, span = int(rows.min()), int(rows.max() - rows.min()) + 1
        size = self._row_size
        if span <= _SPARSEST * len(rows) or span * size <= min(len(rows) * _GAP, _LARGEST_PIECE):
            block = self._empty(span)
            self._fill(block, first)
            return np.asarray(block[rows - first])
        values = self._empty(len(rows))
        view = bytes_of(values)
        order = np.argsort(rows)  # that of the file, which a disk reads faster
        for place, row in zip(order.tolist(), rows[order].tolist(), strict=True):
            self._read(view[place * size : (place + 1) * size], self.offset + row * size)
        return values

    def _empty(self, count: int) -> np.ndarray:
        return np.empty((count, *self.shape[1:]), self.stored_dtype)

    def _fill(self, values: np.ndarray, first: int) -> None:
        """Read consecutive rows into an array, from the row `first` on."""
        if values.size:
            self._read(bytes_of(values), self.offset + first * self._row_size)

    def _read(self, view: memoryview, position: int) -> None:
        """Read as many bytes as a buffer has, from a position in the file."""
        done = 0
        try:
            while done < len(view):
                count = os.preadv(self._file.fileno(), [view[done : done + _LONGEST_READ]], position + done)
                if not count:
                    raise FileError(f"{self.path}: {self.name} was truncated while it was in use")
                done += count
        except OSError as error:
            raise FileError(f"cannot read {self.path}: {error.strerror or error}") from error

    @cached_property
    def _row_size(self) -> int:
        return math.prod(self.shape[1:]) * self.stored_dtype.itemsize

    @cached_property
    def _file(self) -> BinaryIO:
        return self.opened or open_regular(self.path)


def bytes_of(values: np.ndarray) -> memoryview:
    """Return the buffer of an array, to be written into."""
    return memoryview(values.reshape(-1).view(np.uint8))  # type: ignore[arg-type]


def open_npy(path: Path, name: str = "") -> ArrayFile:
    """Return the array in an `.npy` file; none of its values is read.

    Raises:
        FileError: the file is missing, is no such file, was truncated, holds pickled objects, or is in Fortran's order.
    """
    try:
        with open_regular(path) as file:
            return _array_at(path, name or path.stem, file, 0, size_of(file))
    except OSError as error:
        raise FileError(f"cannot read {path}: {error.strerror or error}") from error


def open_npz(path: Path) -> dict[str, ArrayFile]:
    """Return the arrays of an `.npz` archive that are not compressed, by name; none of their values is read.

    Raises:
        FileError: as `open_npy`, or the archive is hostile.
    """
    with safe_zip.open_checked(path, str(path)) as archive, open_regular(path) as file:
        members = [member for member in archive.infolist() if member.compress_type == zipfile.ZIP_STORED]
        arrays = {}
        for member in members:
            file.seek(member.header_offset)
            header = file.read(_LOCAL_HEADER.size)
            if len(header) < _LOCAL_HEADER.size:
                raise FileError(f"{path}: {member.filename} was truncated")
            offset = member.header_offset + _LOCAL_HEADER.size + sum(_LOCAL_HEADER.unpack(header))
            name = member.filename.removesuffix(".npy")
            arrays[name] = _array_at(path, name, file, offset, member.file_size)
        return arrays


def open_safetensors(path: Path) -> dict[str, ArrayFile]:
    """Return the arrays of a safetensors file by name; none of their values is read.

    Raises:
        FileError: the file is missing, is no such file, was truncated, or has a dtype that NumPy has not.
    """
    try:
        with open_regular(path) as file:
            size = size_of(file)
            prefix = file.read(_LENGTH.size)
            length = _LENGTH.unpack(prefix)[0] if len(prefix) == _LENGTH.size else size
            if length > min(HEADER.size, size - _LENGTH.size):
                raise FileError(f"{path} is no file of tensors, or was truncated")
            header = safe_json.parse(file.read(length), str(path), budget=HEADER)
    except OSError as error:
        raise FileError(f"cannot read {path}: {error.strerror or error}") from error
    start = _LENGTH.size + length
    if not isinstance(header, dict):
        raise FileError(f"{path} is no file of tensors, or was truncated")
    entries = {name: entry for name, entry in header.items() if name != "__metadata__"}
    return {name: _tensor(path, name, entry, start, size) for name, entry in entries.items()}


def _tensor(path: Path, name: str, entry: object, start: int, size: int) -> ArrayFile:
    """Return the array that an entry of the header of a safetensors file describes."""
    try:
        shape, code, (begin, end) = entry["shape"], entry["dtype"], entry["data_offsets"]  # type: ignore[index]
        if code not in _DTYPES:
            raise FileError(f"{path}: {name} has the dtype {code}, which NumPy has not: save it as F32")
        dtype = np.dtype(_DTYPES[code])
        shape = tuple(map(int, shape))
        if min(shape, default=0) < 0 or not 0 <= begin <= end <= size - start:
            raise ValueError(f"shape {shape}, bytes {begin} to {end}")
        if math.prod(shape) * dtype.itemsize != end - begin:
            raise ValueError(f"{end - begin} bytes for shape {shape}")
    except (KeyError, TypeError, ValueError) as error:
        raise FileError(f"{path}: {name} is damaged, or the file was truncated ({first_line(error, 200)})") from error
    return ArrayFile(path, name, start + begin, shape, dtype)


def _array_at(path: Path, name: str, file: BinaryIO, offset: int, size: int) -> ArrayFile:
    """Return the array whose header begins at an offset and which has this size, header included."""
    label = f"{path}: {name}"
    part = _Part(file, offset)
    shape, is_fortran, dtype = safe_arrays.read_header(part, size, label)  # type: ignore[arg-type]
    if is_fortran and len(shape) > 1:
        raise FileError(f"{label} is in Fortran's order, whose rows do not lie together: save np.ascontiguousarray(x)")
    return ArrayFile(path, name, offset + part.tell(), shape, dtype)


class _Part:
    """A file seen from an offset on, for NumPy's reading of a header."""

    def __init__(self, file: BinaryIO, offset: int):
        self._file, self._offset = file, offset
        file.seek(offset)

    def read(self, count: int) -> bytes:
        return self._file.read(count)

    def tell(self) -> int:
        return self._file.tell() - self._offset
