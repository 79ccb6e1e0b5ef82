"""Arrays and a JSON record in one file with a checksum: the format of checkpoints.

The format is safetensors, readable by any reader of it: a header with the place of each array, then the arrays' bytes;
nothing in it can be run. The safetensors library reads the files. They are written here, because a checkpoint may be as
large as the memory: the library needs all arrays at once, while here each is fetched, hashed and written in turn. The
checksum covers the whole file, header and record included, with zeros in the place of the checksum itself.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import os
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from ..errors import CheckpointError, FileError
from . import safe_json
from .atomic import atomic_write
from .budget import HEADER
from .regular_file import chunks_of, open_regular, require_regular, size_of

SUFFIX = ".safetensors"

_NO_CHECKSUM = "0" * 64
_DTYPE_CODES = {
    "float16": "F16",
    "float32": "F32",
    "float64": "F64",
    "bool": "BOOL",
    "int8": "I8",
    "int16": "I16",
    "int32": "I32",
    "int64": "I64",
    "uint8": "U8",
    "uint16": "U16",
    "uint32": "U32",
    "uint64": "U64",
}
# A large file is flushed in parts of this size, while the next part is fetched, hashed and written.
_FLUSH_SIZE = 2**26  # bytes
# The read size when a checksum is verified.


@dataclass(frozen=True)
class LazyArray:
    """An array that is fetched only when it is written.

    Attributes:
        shape, dtype: those of the fetched array; dtype is NumPy's name.
        fetch: returns the array.
    """

    shape: tuple[int, ...]
    dtype: str
    fetch: Callable[[], np.ndarray]

    @classmethod
    def of(cls, value: np.ndarray) -> LazyArray:
        return cls(value.shape, value.dtype.name, lambda: value)

    @property
    def size(self) -> int:
        """The size in bytes."""
        return math.prod(self.shape) * np.dtype(self.dtype).itemsize


def write(path: Path, record: Any, arrays: Mapping[str, LazyArray]) -> None:
    """Write the file, completely or not at all.

    Args:
        path: ends in `SUFFIX`.
        record: a JSON value without NaN.
        arrays: the arrays by name.

    Raises:
        OutputError: the file cannot be written; the old file is unchanged.
    """
    header, checksum_offset = _header(record, arrays)
    with atomic_write(path) as temporary, temporary.open("r+b", buffering=0) as file, ThreadPoolExecutor(2) as executor:
        digest, flushing = hashlib.sha256(header), _BackgroundFlush(file, executor)
        _write_all(file, memoryview(header))
        for array in arrays.values():
            value = np.ascontiguousarray(array.fetch(), dtype=array.dtype)
            content = value.reshape(-1).view(np.uint8).data
            hashing = executor.submit(digest.update, content)
            _write_all(file, content)
            hashing.result()
            flushing.flush_if_due()
        flushing.finish()
        file.seek(checksum_offset)
        file.write(digest.hexdigest().encode())


def read_record(path: Path, *, verify: bool = True, kind: str = "checkpoint") -> Any:
    """Read the record of a file and verify the file's checksum; needs no framework.

    Args:
        verify: read the whole file and compare its checksum; otherwise read only the header, and trust it.
        kind: what the file should be, for the error.

    Raises:
        CheckpointError: the file is missing, truncated, altered, or of another format.
    """
    try:
        with open_regular(path) as file:
            header = _read_header(file)
            stated = header["__metadata__"]["sha256"]
            if not isinstance(stated, str) or len(stated) != len(_NO_CHECKSUM):
                raise ValueError("no checksum")
            file.seek(0)
            if verify and _checksum(file, stated) != stated:
                raise CheckpointError(f"{path} was altered or truncated: its checksum is not the one in it")
        return safe_json.parse(header["__metadata__"]["record"], f"the record in {path}", budget=HEADER)
    except OSError as error:
        raise CheckpointError(f"cannot read {path}: {error.strerror or error}") from error
    except (FileError, ValueError, KeyError, TypeError) as error:
        raise CheckpointError(f"{path} is no {kind}, or was truncated: it does not begin as one does") from error


@contextlib.contextmanager
def open_arrays(path: Path) -> Iterator[Callable[[str], np.ndarray]]:
    """Open a file and give a function that reads an array by name; call `read_record` first to verify the checksum.

    Raises:
        CheckpointError: the file is of another format; from the function: there is no such array.
    """
    from safetensors import SafetensorError, safe_open

    require_regular(path)
    try:
        with safe_open(path, framework="numpy") as file:
            names = set(file.keys())

            def read(name: str) -> np.ndarray:
                if name not in names:
                    raise CheckpointError(f"{path}: there is no {name} in it")
                return np.asarray(file.get_tensor(name))

            yield read
    except (SafetensorError, OSError) as error:
        raise CheckpointError(f"{path} is no checkpoint, or was truncated: {error}") from error


def _header(record: Any, arrays: Mapping[str, LazyArray]) -> tuple[bytes, int]:
    """Return the header of the file, and the offset of the checksum in the file."""
    entries: dict[str, Any] = {
        "__metadata__": {"sha256": _NO_CHECKSUM, "record": json.dumps(record, allow_nan=False)},
    }
    offset = 0
    for name, array in arrays.items():
        entries[name] = {
            "dtype": _DTYPE_CODES[array.dtype],
            "shape": list(array.shape),
            "data_offsets": [offset, offset := offset + array.size],
        }
    header = json.dumps(entries).encode()
    header += b" " * (-len(header) % 8)  # so that the arrays are aligned
    return len(header).to_bytes(8, "little") + header, 8 + header.index(_NO_CHECKSUM.encode())


def _read_header(file: BinaryIO) -> dict[str, Any]:
    length = int.from_bytes(file.read(8), "little")
    if length > min(HEADER.size, size_of(file)):
        raise ValueError("longer than the file")
    header: dict[str, Any] = safe_json.parse(file.read(length), "its header", budget=HEADER)
    return header


def _checksum(file: BinaryIO, stated: str) -> str:
    """Compute the checksum of the whole file, with zeros in the place of the stated one."""
    digest = hashlib.sha256()
    length = file.read(8)
    header = file.read(int.from_bytes(length, "little"))
    digest.update(length + header.replace(stated.encode(), _NO_CHECKSUM.encode(), 1))
    for chunk in chunks_of(file, size_of(file) - len(length) - len(header)):
        digest.update(chunk)
    return digest.hexdigest()


class _BackgroundFlush:
    """Flushes a growing file to disk in another thread, so that little remains to be flushed at its end."""

    def __init__(self, file: Any, executor: ThreadPoolExecutor):
        self._file, self._executor = file, executor
        self._flushed, self._pending = 0, executor.submit(lambda: None)

    def flush_if_due(self) -> None:
        """Start the next flush if enough was written and the last flush is done; call after each array."""
        written = self._file.tell()
        if written - self._flushed >= _FLUSH_SIZE and self._pending.done():
            self.finish()
            self._flushed, self._pending = written, self._executor.submit(os.fsync, self._file.fileno())

    def finish(self) -> None:
        """Wait for the flush and raise its OSError: the system reports a failed write only once."""
        self._pending.result()


def _write_all(file: Any, content: memoryview) -> None:
    """Write the whole content: the system may write less than requested."""
    while content:
        content = content[file.write(content) :]
