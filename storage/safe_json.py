"""Reads JSON files that may be hostile: bounded in size and depth, without NaN; damage raises an error of one line."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

from ..errors import FileError
from .regular_file import read_regular, unreadable

# Far more than trivium or Keras writes, except for the vocabularies within a model.
MAX_SIZE = 16 * 2**20  # bytes
# A Keras model takes five levels for each model within a model. Deeper values could overflow the stack of a recursion.
MAX_DEPTH = 100


def parse(content: bytes | str, label: str, *, max_size: int = MAX_SIZE, finite: bool = True) -> Any:
    """Parse JSON text.

    Args:
        content: UTF-8 bytes, or text.
        label: the name of the file in error messages.
        max_size: the maximum number of bytes, or of characters.
        finite: refuse NaN and infinite numbers. Keras writes them for a layer that has one.

    Raises:
        FileError: the text is larger, nested deeper than `MAX_DEPTH`, or not JSON.
    """
    if len(content) > max_size:
        raise FileError(f"{label} has {len(content):,} bytes of JSON, at most {max_size:,} are read")
    refuse = {"parse_constant": _refuse, "parse_float": _finite} if finite else {}
    try:
        value = json.loads(content, **refuse)  # type: ignore[arg-type]
    except RecursionError:
        raise FileError(f"{label} is nested deeper than {MAX_DEPTH} levels: not read") from None
    except ValueError as error:  # not JSON, not Unicode, or a number with thousands of digits
        raise FileError(f"{label} is not JSON, or was truncated ({error})") from error
    return require_shallow(value, label)


def read(path: Path, *, max_size: int = MAX_SIZE) -> Any:
    """Parse a JSON file of at most `max_size` bytes.

    Raises:
        FileError: as `parse`, or the file cannot be read.
    """
    return parse(read_bytes(path, max_size=max_size), str(path), max_size=max_size)


def read_bytes(path: Path, *, max_size: int = MAX_SIZE) -> bytes:
    """Read at most `max_size` + 1 bytes of a file: the extra byte lets the parser notice a file that is too large.

    Raises:
        FileError: the file cannot be read.
    """
    try:
        return read_regular(path, max_size + 1)
    except OSError as error:
        raise unreadable(path, error) from error


def finite(value: Any) -> Any:
    """Return a value with None for the numbers that JSON does not have: infinite ones, and NaN."""
    if isinstance(value, dict):
        return {key: finite(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [finite(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def is_json(value: Any) -> bool:
    """Return whether JSON can hold a value: no infinite number, set, bytes or other object, at any depth."""
    try:
        json.dumps(value, allow_nan=False)
    except (TypeError, ValueError, RecursionError):
        return False
    return True


def walk(value: Any) -> Iterator[tuple[Any, int]]:
    """Yield a value and all values within it, in order, with their depth from 1; without recursion at any depth."""
    stack = [(value, 1)]
    while stack:
        node, depth = stack.pop()
        yield node, depth
        if isinstance(node, dict | list):
            inner = list(node.values()) if isinstance(node, dict) else node
            stack += [(child, depth + 1) for child in reversed(inner)]


def require_shallow(value: Any, label: str) -> Any:
    """Return the value; raise a FileError if it is nested deeper than `MAX_DEPTH`."""
    if any(depth > MAX_DEPTH for _, depth in walk(value)):
        raise FileError(f"{label} is nested deeper than {MAX_DEPTH} levels: not read")
    return value


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not a JSON number")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text[:20]} is too large for a number")
    return number
