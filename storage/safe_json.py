"""JSON from a file that may be hostile: bounded in size and depth, no NaN, damage is one line."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

from ..errors import FileError

# Far more than anything that trivium or Keras writes, save the vocabularies within a model.
LARGEST = 16 * 2**20  # bytes
# A Keras model takes five levels for each model within a model. What is deeper overflows the stack of who walks it.
DEEPEST = 100


def parse(content: bytes | str, what: str, *, largest: int = LARGEST, finite: bool = True) -> Any:
    """What JSON text holds.

    Args:
        what: the file, for the message.
        largest: bytes or letters that it may have.
        finite: refuse NaN and infinite numbers; Keras writes them where a layer has one.

    Raises:
        FileError: it is larger, nested deeper than `DEEPEST`, or no JSON.
    """
    if len(content) > largest:
        raise FileError(f"{what} has {len(content):,} bytes of JSON, at most {largest:,} are read")
    refuse = {"parse_constant": _refuse, "parse_float": _finite} if finite else {}
    try:
        found = json.loads(content, **refuse)  # type: ignore[arg-type]
    except RecursionError:
        raise FileError(f"{what} is nested deeper than {DEEPEST} levels: not read") from None
    except ValueError as error:  # no JSON, no Unicode, or a number of thousands of digits
        raise FileError(f"{what} is not JSON, or was truncated ({error})") from error
    return require_flat(found, what)


def read(path: Path, *, largest: int = LARGEST) -> Any:
    """What a file of JSON holds; never more than `largest` bytes of it are read.

    Raises:
        FileError: as `parse`, or it cannot be read.
    """
    return parse(read_bytes(path, largest=largest), str(path), largest=largest)


def read_bytes(path: Path, *, largest: int = LARGEST) -> bytes:
    """At most one byte more than `largest` of a file, so that who parses it can tell that it is too large.

    Raises:
        FileError: it cannot be read.
    """
    try:
        with path.open("rb") as file:
            return file.read(largest + 1)
    except OSError as error:
        raise FileError(f"cannot read {path}: {error.strerror or error}") from error


def nodes(value: Any) -> Iterator[tuple[Any, int]]:
    """Every value within a value, in order, itself first, with its depth from 1; without recursion, however deep."""
    waiting = [(value, 1)]
    while waiting:
        node, depth = waiting.pop()
        yield node, depth
        if isinstance(node, dict | list):
            inner = list(node.values()) if isinstance(node, dict) else node
            waiting += [(each, depth + 1) for each in reversed(inner)]


def require_flat(value: Any, what: str) -> Any:
    """The value, unless it is nested deeper than `DEEPEST`: then a FileError."""
    if any(depth > DEEPEST for _, depth in nodes(value)):
        raise FileError(f"{what} is nested deeper than {DEEPEST} levels: not read")
    return value


def _refuse(word: str) -> NoReturn:
    raise ValueError(f"{word} is no number of JSON")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text[:20]} is too large for a number")
    return number
