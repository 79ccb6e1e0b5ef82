"""The format of messages between processes: JSON, followed by the raw bytes of its arrays.

Nothing is pickled, so a message cannot run code. Arrays are not converted to text, so they are fast and exact. A
dictionary that has a key of the format itself is wrapped, so that whatever a function returns arrives as it was.
"""

from __future__ import annotations

import json
import struct
from typing import IO, Any

import numpy as np

Buffer = bytes | memoryview

_LENGTH = struct.Struct("<Q")
# The keys of the format: an array, and a dictionary that has one of these keys.
_ARRAY, _WRAPPED = "__array__", "__wrapped__"


def pack(message: dict[str, Any]) -> list[Buffer]:
    """Return the parts of a message: its JSON, then the bytes of each array in it.

    Raises:
        TypeError, ValueError: something in it is neither JSON nor an array of plain numbers.
    """
    arrays: list[np.ndarray] = []
    text = json.dumps(_take_arrays(message, arrays)).encode()
    return [text, *(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data for array in arrays)]


def write(stream: IO[bytes], parts: list[Buffer]) -> None:
    """Send the parts of a message, each preceded by its length."""
    for part in parts:
        stream.write(_LENGTH.pack(len(part)))
        stream.write(part)
    stream.flush()


def read(stream: IO[bytes]) -> dict[str, Any]:
    """Receive one message.

    Raises:
        EOFError: the other side has closed the stream.
    """
    return dict(_put_arrays(json.loads(_read_part(stream)), stream))


def _read_part(stream: IO[bytes]) -> bytearray:
    part = bytearray(_LENGTH.unpack(_read_exactly(stream, bytearray(_LENGTH.size)))[0])
    return _read_exactly(stream, part)


def _read_exactly(stream: IO[bytes], target: bytearray) -> bytearray:
    view = memoryview(target)
    while view:
        count = stream.readinto(view)  # type: ignore[attr-defined]
        if not count:
            raise EOFError
        view = view[count:]
    return target


def _take_arrays(value: Any, arrays: list[np.ndarray]) -> Any:
    if isinstance(value, np.ndarray):
        arrays.append(value)
        return {_ARRAY: [value.dtype.str, list(value.shape)]}
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, dict):
        items = {key: _take_arrays(item, arrays) for key, item in value.items()}
        return {_WRAPPED: items} if _ARRAY in value or _WRAPPED in value else items
    if isinstance(value, list | tuple):
        return [_take_arrays(item, arrays) for item in value]
    return value


def _put_arrays(value: Any, stream: IO[bytes]) -> Any:
    if isinstance(value, dict):
        if _ARRAY in value:
            dtype, shape = value[_ARRAY]
            return np.frombuffer(_read_part(stream), dtype=np.dtype(dtype)).reshape(shape)
        return {key: _put_arrays(item, stream) for key, item in value.get(_WRAPPED, value).items()}
    if isinstance(value, list):
        return [_put_arrays(item, stream) for item in value]
    return value
