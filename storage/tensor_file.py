"""Arrays and a JSON record in one file that proves itself: the format of checkpoints.

It is the safetensors format, which any reader of it opens: a header that says what is where, then the arrays' bytes;
nothing in it can be run. The library reads it. It is written here instead, because a checkpoint may be as large as the
memory allows: the library wants every array at once, while here one is fetched, hashed and written after the other. The
checksum is over the whole file, header and record included, with zeros where the checksum itself stands.
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
from .atomic import written_whole

SUFFIX = ".safetensors"

_NO_CHECKSUM = "0" * 64
_CODES = {
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
# The format allows no longer header.
_LONGEST_HEADER = 100_000_000
# So much of a large file is handed to the disk while what follows is fetched, hashed and written.
_FLUSHED = 2**26  # bytes
# Of a file that is read to be proved.
_PIECE = 2**22  # bytes


@dataclass(frozen=True)
class Array:
    """An array that is fetched when it is its turn to be written.

    Attributes:
        shape, dtype: of what `fetch` gives; dtype is a name that NumPy knows.
        fetch: gives it.
    """

    shape: tuple[int, ...]
    dtype: str
    fetch: Callable[[], np.ndarray]

    @classmethod
    def of(cls, value: np.ndarray) -> Array:
        return cls(value.shape, value.dtype.name, lambda: value)

    @property
    def size(self) -> int:
        """In bytes."""
        return math.prod(self.shape) * np.dtype(self.dtype).itemsize


def write(path: Path, record: Any, arrays: Mapping[str, Array]) -> None:
    """Write the file, whole or not at all.

    Args:
        path: ends in `SUFFIX`.
        record: JSON; no NaN in it.
        arrays: by name.

    Raises:
        OutputError: it cannot be written; the file that was there is kept.
    """
    header, place = _header(record, arrays)
    with written_whole(path) as aside, aside.open("r+b", buffering=0) as file, ThreadPoolExecutor(2) as beside:
        digest, flushing = hashlib.sha256(header), _Flushing(file, beside)
        _write_all(file, memoryview(header))
        for array in arrays.values():
            value = np.ascontiguousarray(array.fetch(), dtype=array.dtype)
            content = value.reshape(-1).view(np.uint8).data
            hashing = beside.submit(digest.update, content)
            _write_all(file, content)
            hashing.result()
            flushing.go_on()
        flushing.finish()
        file.seek(place)
        file.write(digest.hexdigest().encode())


def read_record(path: Path, *, prove: bool = True) -> Any:
    """The record of a file, which proves to be what was written; needs no framework.

    Args:
        prove: read every byte and compare the checksum; without it only the header is read, and may lie.

    Raises:
        CheckpointError: it is missing, truncated, altered or something else.
    """
    try:
        with path.open("rb") as file:
            header = _read_header(file)
            stated = header["__metadata__"]["sha256"]
            file.seek(0)
            if prove and _checksum(file, stated) != stated:
                raise CheckpointError(f"{path} was altered or truncated: its checksum is not the one in it")
        return safe_json.parse(header["__metadata__"]["record"], f"the record in {path}", largest=_LONGEST_HEADER)
    except OSError as error:
        raise CheckpointError(f"cannot read {path}: {error.strerror or error}") from error
    except (FileError, ValueError, KeyError, TypeError) as error:
        raise CheckpointError(f"{path} is no checkpoint, or was truncated: it does not begin as one does") from error


@contextlib.contextmanager
def opened(path: Path) -> Iterator[Callable[[str], np.ndarray]]:
    """While it lasts, the function that reads an array by its name; call `read_record` first, which proves the file.

    Raises:
        CheckpointError: it is none of these files; from the function, there is no such array.
    """
    from safetensors import SafetensorError, safe_open

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


def _header(record: Any, arrays: Mapping[str, Array]) -> tuple[bytes, int]:
    """The first bytes of the file, and where in it the checksum is to stand."""
    entries: dict[str, Any] = {
        "__metadata__": {"sha256": _NO_CHECKSUM, "record": json.dumps(record, allow_nan=False)},
    }
    offset = 0
    for name, array in arrays.items():
        entries[name] = {
            "dtype": _CODES[array.dtype],
            "shape": list(array.shape),
            "data_offsets": [offset, offset := offset + array.size],
        }
    text = json.dumps(entries).encode()
    text += b" " * (-len(text) % 8)  # so that the arrays are aligned
    return len(text).to_bytes(8, "little") + text, 8 + text.index(_NO_CHECKSUM.encode())


def _read_header(file: BinaryIO) -> dict[str, Any]:
    length = int.from_bytes(file.read(8), "little")
    if length > min(_LONGEST_HEADER, os.fstat(file.fileno()).st_size):
        raise ValueError("longer than the file")
    found: dict[str, Any] = safe_json.parse(file.read(length), "its header", largest=_LONGEST_HEADER)
    return found


def _checksum(file: BinaryIO, stated: str) -> str:
    """Of the whole file, with zeros where the stated checksum first stands."""
    digest = hashlib.sha256()
    length = file.read(8)
    header = file.read(int.from_bytes(length, "little"))
    digest.update(length + header.replace(stated.encode(), _NO_CHECKSUM.encode(), 1))
    while piece := file.read(_PIECE):
        digest.update(piece)
    return digest.hexdigest()


class _Flushing:
    """Hands a growing file to the disk, in another thread: at its end there is little left to wait for."""

    def __init__(self, file: Any, beside: ThreadPoolExecutor):
        self._file, self._beside = file, beside
        self._begun, self._running = 0, beside.submit(lambda: None)

    def go_on(self) -> None:
        """To be called after each part."""
        written = self._file.tell()
        if written - self._begun >= _FLUSHED and self._running.done():
            self.finish()
            self._begun, self._running = written, self._beside.submit(os.fsync, self._file.fileno())

    def finish(self) -> None:
        """Raise the OSError that the disk had: the system tells it once only."""
        self._running.result()


def _write_all(file: Any, content: memoryview) -> None:
    """Write all of it: the system may take less than it is given."""
    while content:
        content = content[file.write(content) :]
