"""Arrays that are larger than memory and needed by this process alone: in a file without a name.

The file is in the user's cache, not in the system's temporary folder, which may be memory. It has no name from the
beginning, so that the system frees it when the process ends, however it ends.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np

from ..errors import OutputError
from .array_file import ArrayFile, bytes_of
from .user_cache import user_cache

# Rows that are to lie in another order are first written into buckets of this size, and then put in order in each:
# single rows all over a file that is larger than memory would take much longer.
_BUCKET_SIZE = 2**26  # bytes
_DTYPE = np.dtype("float64")


def scratch_array(
    source: Path, shape: tuple[int, int], pieces: Iterable[np.ndarray], order: np.ndarray | None = None
) -> ArrayFile:
    """Return an array whose rows are written into a file without a name, which is gone with the array.

    Args:
        source: where the rows come from, for messages.
        shape: (rows, columns).
        pieces: the rows, (some rows, columns) float64, one piece after the other.
        order: (rows,) the numbers of the rows in the order in which they are to lie; None for that of the pieces.

    Raises:
        OutputError: the disk has too little space for it, or the folder cannot be written to.
    """
    folder = user_cache()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _require_space(folder, source, shape[0] * shape[1] * _DTYPE.itemsize)
        file = tempfile.TemporaryFile(dir=folder, buffering=0)  # noqa: SIM115
        if order is None:
            _append(file, pieces)
        else:
            _write_in_order(file, pieces, order, shape)
    except OSError as error:
        raise OutputError(
            f"{source}: cannot write its rows into {folder}: {error.strerror or error}: set XDG_CACHE_HOME to a folder "
            "that takes them"
        ) from error
    return ArrayFile(source, "x", 0, shape, _DTYPE, file)


def _require_space(folder: Path, source: Path, size: int) -> None:
    free = shutil.disk_usage(folder).free
    if size > free:
        raise OutputError(
            f"{source}: its rows take {size / 1e9:,.1f} GB as numbers, and {folder} has {free / 1e9:,.1f} GB free: "
            "make room, or set XDG_CACHE_HOME to a folder on a larger disk"
        )


def _append(file: BinaryIO, pieces: Iterable[np.ndarray]) -> None:
    position = 0
    for rows in pieces:
        _write(file, rows, position)
        position += rows.nbytes


def _write_in_order(file: BinaryIO, pieces: Iterable[np.ndarray], order: np.ndarray, shape: tuple[int, int]) -> None:
    """Write each row into the bucket in which its place lies, and then put the rows of each bucket in order."""
    size = max(1, _BUCKET_SIZE // (shape[1] * _DTYPE.itemsize))  # rows of a bucket
    places = np.empty_like(order)
    places[order] = np.arange(len(order))
    buckets = (places // size).astype(np.min_scalar_type(shape[0] // size))
    _distribute(file, pieces, buckets, size)
    arrivals, written = np.argsort(buckets, kind="stable"), ArrayFile(Path(), "", 0, shape, _DTYPE, file)
    for first in range(0, shape[0], size):
        rows = places[arrivals[first : first + size]] - first
        arranged = np.empty((len(rows), shape[1]), _DTYPE)
        arranged[rows] = written[first : first + size]
        _write(file, arranged, first * shape[1] * _DTYPE.itemsize)


def _distribute(file: BinaryIO, pieces: Iterable[np.ndarray], buckets: np.ndarray, size: int) -> None:
    """Write rows into their buckets, in the order in which they come."""
    ends = np.arange(buckets.max() + 1) * size
    start = 0
    for rows in pieces:
        for bucket, members in _groups(buckets[start : start + len(rows)]):
            part = rows[members]
            _write(file, part, int(ends[bucket]) * (part.nbytes // len(part)))
            ends[bucket] += len(part)
        start += len(rows)


def _groups(numbers: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    """Yield each number with the places at which it stands, in order."""
    by_number = np.argsort(numbers, kind="stable")
    starts = np.flatnonzero(np.diff(numbers[by_number])) + 1
    for places in np.split(by_number, starts):
        yield int(numbers[places[0]]), places


def _write(file: BinaryIO, rows: np.ndarray, position: int) -> None:
    view = bytes_of(np.ascontiguousarray(rows))
    done = 0
    while done < len(view):
        done += os.pwrite(file.fileno(), view[done:], position + done)
