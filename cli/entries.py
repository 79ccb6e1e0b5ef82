"""Parses options such as `patience=3,monitor=loss` into mappings: the one place that knows this notation."""

from __future__ import annotations

import ast
import json
from collections.abc import Collection, Sequence
from typing import Any

from ..errors import OptionError
from ..storage.safe_json import is_json

_OPENING, _CLOSING, _QUOTES = "([{", ")]}", "\"'"


def parse_value(text: str) -> Any:
    """Return the value of a text: JSON (`3`, `true`, `[8,4]`), a Python literal (`False`, `.5`, `1_000`), or the text.

    A list becomes a tuple. A literal that no record of a run can hold, such as `Infinity` or `{1, 2}`, stays text.
    """
    for parse in (json.loads, ast.literal_eval):
        try:
            value = parse(text.strip())
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            continue
        if is_json(value):
            return tuple(value) if isinstance(value, list) else value
    return text


def parse_assignment(option: str, text: str, example: str) -> tuple[str, str]:
    """Return the name and the text of a value such as `units=64`.

    Args:
        option: what the text was given to, such as `--set`.
        text: the name ends at the first `=`.
        example: of an assignment, for the message.

    Raises:
        OptionError: the text has no `=`, or no name before it.
    """
    name, equals, value = text.partition("=")
    if not equals or not name.strip():
        raise OptionError(f"{option} {text}: expected NAME=VALUE, such as {example}")
    return name.strip(), value


def parse_entries(option: str, text: str, *, example: str, texts: Collection[str] = ()) -> dict[str, Any]:
    """Return the names and values of entries such as `monitor=loss,patience=3`.

    Args:
        option: what the text was given to, such as `--early-stopping`.
        text: entries with commas between them; may be empty.
        example: of the entries, for the message.
        texts: the names whose values stay as they are written.

    Raises:
        OptionError: an entry has no `=`, or a name appears twice.
    """
    entries: dict[str, Any] = {}
    for entry in split_list(text) if text else []:
        # A number has no "=", so that the name of a class may.
        name, equals, value = entry.partition("=") if entry.partition("=")[0] in texts else entry.rpartition("=")
        if not equals or not name:
            raise OptionError(f"{option} {text}: {entry!r} has no value: expected NAME=VALUE, such as {example}")
        if name in entries:
            raise OptionError(f"{option} {text}: {name} appears twice")
        entries[name] = value if name in texts else parse_value(value)
    return entries


def split_list(text: str) -> Sequence[str]:
    """Split at commas, but not inside brackets or quotes: `[8,4],[16,8]` has two elements."""
    elements, depth, quote = [""], 0, ""
    for letter in text:
        if letter == "," and not depth and not quote:
            elements.append("")
            continue
        elements[-1] += letter
        if quote:
            quote = "" if letter == quote else quote
        elif letter in _QUOTES and (depth or elements[-1][:-1].strip()[-1:] in ("", "=")):
            quote = letter
        else:
            depth += (letter in _OPENING) - (letter in _CLOSING and depth > 0)
    is_balanced = not depth and not quote
    return [element.strip() for element in (elements if is_balanced else text.split(","))]
