"""Refuses HDF5 files with a damaged global heap, which the HDF5 library would read for ever.

A global heap holds texts of any length. It is a row of objects, and the last may be object 0, the free space, whose
length counts its own header. The library steps from object to object, and does not notice a step of 0 bytes:
https://github.com/HDFGroup/hdf5/issues/1707, in 1.14.6 too. Nobody says where the heaps are, so that they are searched
for in the bytes of the file before the library reads them.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import BinaryIO

from ..errors import FileError
from .budget import HDF5_OBJECTS, limited

_START = b"GCOL\x01"  # the signature and the version of a heap
_FREE = b"\0\0"  # the number of the object that is free space
_WORD = 8  # bytes to whose multiples headers and objects are rounded up
_WORDS = 2**64  # the library's sizes wrap around at this number
_PIECE_SIZE = 2**22  # bytes


def require_finite(stream: BinaryIO, length_size: int, label: str) -> None:
    """Raise a FileError if the library would read a global heap in a file for ever.

    Args:
        stream: the file; its position is changed.
        length_size: the bytes of a length in this file.
        label: the name of the file in messages.

    Raises:
        FileError: it would, or there are more heaps and objects than are read.
    """
    size = stream.seek(0, os.SEEK_END)
    steps = (step for start in _starts(stream, size) for step in _steps(stream, start, size, length_size))
    for step in limited(steps, HDF5_OBJECTS, label, "heaps and texts of any length"):
        if step < _WORD:
            raise FileError(f"{label} is damaged: a heap of texts in it has an object of no length")


def _steps(stream: BinaryIO, start: int, size: int, length_size: int) -> Iterator[int]:
    """Yield the lengths of the header of a heap and of the objects in it, up to one of no length, in bytes."""
    header_size = _rounded_up(_WORD + length_size)
    end = start + _length(_read(stream, start, header_size), length_size)
    position, step = start, header_size
    yield step
    while step >= _WORD and end <= size and (position := position + step) + header_size <= end:
        header = _read(stream, position, header_size)
        length = _length(header, length_size)
        step = length if header.startswith(_FREE) else (header_size + _rounded_up(length)) % _WORDS
        yield step


def _starts(stream: BinaryIO, size: int) -> Iterator[int]:
    """Yield where heaps may start; the position of the file may be changed meanwhile."""
    for offset in range(0, size, _PIECE_SIZE):
        piece = _read(stream, offset, _PIECE_SIZE + len(_START) - 1)
        place = piece.find(_START)
        while place >= 0:
            yield offset + place
            place = piece.find(_START, place + 1)


def _read(stream: BinaryIO, position: int, size: int) -> bytes:
    stream.seek(position)
    return stream.read(size)


def _length(header: bytes, length_size: int) -> int:
    """Return the length in the header of a heap or of an object in it."""
    return int.from_bytes(header[_WORD : _WORD + length_size], "little")


def _rounded_up(size: int) -> int:
    return -(-size // _WORD) * _WORD
