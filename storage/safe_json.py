"""Reads JSON files that may be hostile: bounded in size and depth, without NaN; damage raises an error of one line."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

from ..errors import FileError
from .budget import DOCUMENT, Budget, require_at_most
from .regular_file import read_regular, unreadable

# A text within the text: to its end where the closing quote is missing.
_TEXTS = re.compile(rb'"(?:[^"\\]|\\.)*+(?:"|\Z)', re.DOTALL)
_BRACKETS, _OPENING, _SEPARATOR = b"[]{}", b"[{", b","
_STRUCTURE = _BRACKETS + _SEPARATOR
_ALL_OTHERS = bytes(set(range(256)) - {*_STRUCTURE})


def parse(content: bytes | str, label: str, *, budget: Budget = DOCUMENT, finite: bool = True) -> Any:
    """Parse JSON text.

    Args:
        content: UTF-8 bytes, or text.
        label: the name of the file in error messages.
        budget: how much of it is read. It is compared with the text, before any value is made of it.
        finite: refuse NaN and infinite numbers. Keras writes them for a layer that has one.

    Raises:
        FileError: the text is beyond the budget, or not JSON.
    """
    if len(content) > budget.size:
        raise FileError(f"{label} has {len(content):,} bytes of JSON, at most {budget.size:,} are read")
    refuse = {"parse_constant": _refuse, "parse_float": _finite} if finite else {}
    try:
        _require_within(budget, content if isinstance(content, bytes) else content.encode(errors="replace"), label)
        text = content.decode("utf-8-sig") if isinstance(content, bytes) else content
        return json.loads(text, **refuse)  # type: ignore[arg-type]
    except ValueError as error:  # not JSON, not Unicode, or a number with thousands of digits
        raise FileError(f"{label} is not JSON, or was truncated ({error})") from error


def _require_within(budget: Budget, content: bytes, label: str) -> None:
    """Raise a FileError if a JSON text has more values, or is nested deeper, than is read."""
    structure = _TEXTS.sub(b"", content).translate(None, _ALL_OTHERS)
    objects = sum(map(structure.count, (b"[", b"{")))
    require_at_most(budget.objects, objects, label, "lists and objects")
    require_at_most(budget.values, objects + structure.count(_SEPARATOR) + 1, label, "values")
    depth = 0
    for bracket in structure.translate(None, _SEPARATOR):
        depth += 1 if bracket in _OPENING else -1
        if depth > budget.depth:
            raise FileError(f"{label} is nested deeper than {budget.depth} levels: not read")


def read(path: Path, *, budget: Budget = DOCUMENT) -> Any:
    """Parse a JSON file.

    Raises:
        FileError: as `parse`, or the file cannot be read.
    """
    return parse(read_bytes(path, max_size=budget.size), str(path), budget=budget)


def read_bytes(path: Path, *, max_size: int = DOCUMENT.size) -> bytes:
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


def walk(value: Any) -> Iterator[Any]:
    """Yield a value and all values within it, in order; without recursion at any depth."""
    stack = [value]
    while stack:
        node = stack.pop()
        yield node
        if isinstance(node, dict | list):
            stack += reversed(node.values() if isinstance(node, dict) else node)


def objects_in(value: Any) -> Iterator[dict[str, Any]]:
    """Yield all objects in a value, itself included, in order."""
    return (node for node in walk(value) if isinstance(node, dict))


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not a JSON number")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text[:20]} is too large for a number")
    return number
