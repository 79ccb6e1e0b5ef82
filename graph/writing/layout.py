"""Python text laid out as ruff's formatter would."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

WIDTH = 88  # what a formatter allows where nobody has said otherwise


def call(name: str, *arguments: object, **keywords: object) -> str:
    """`name(arguments, key=value)`; arguments are Python text, keywords are values."""
    given = [str(argument) for argument in arguments]
    given += [f"{key}={literal(value)}" for key, value in keywords.items()]
    return f"{name}({', '.join(given)})"


def literal(value: Any) -> str:
    """A plain Python value as it is written; numbers that are not finite as `float("inf")`."""
    if isinstance(value, float) and value in (float("inf"), float("-inf")):
        return 'float("inf")' if value > 0 else '-float("inf")'
    if isinstance(value, str):
        return f'"{value}"'
    if isinstance(value, (tuple, list)):
        inner = ", ".join(literal(item) for item in value)
        return f"({inner},)" if len(value) == 1 else f"({inner})"
    return repr(value)


def one_or_all(values: Sequence[int]) -> str:
    """(3, 3) as 3, (3, 5) as (3, 5): PyTorch takes one number for every axis."""
    return literal(values[0]) if len(set(values)) == 1 else literal(tuple(values))


def shown(keywords: Mapping[str, tuple[str, str]]) -> list[str]:
    """`key=value` for those that are other than their default: key → (value, default), all Python text."""
    return [f"{key}={value}" for key, (value, default) in keywords.items() if value != default]


def statement(text: str, indent: int) -> list[str]:
    """A statement as lines, broken within its last bracket that reaches to the end where it is too long."""
    start = " " * indent
    if len(start + text) <= WIDTH or not text.endswith(")"):
        return [start + text]
    opening = _opening(text)
    head, inner = text[: opening + 1], text[opening + 1 : -1]
    within = " " * (indent + 4)
    if len(within + inner) <= WIDTH:
        return [start + head, within + inner, start + ")"]
    lines = [start + head]
    for argument in _arguments(inner):
        *first, last = statement(argument, indent + 4)
        lines += [*first, last + ","]
    return [*lines, start + ")"]


def _opening(text: str) -> int:
    """Where the bracket opens that the text's last character closes."""
    depth = 0
    for place in range(len(text) - 1, -1, -1):
        depth += (text[place] in ")]}") - (text[place] in "([{")
        if depth == 0:
            return place
    raise ValueError(f"unbalanced: {text}")


def _arguments(inner: str) -> list[str]:
    """Arguments separated by commas outside of brackets and quotes."""
    found, depth, quoted, start = [], 0, False, 0
    for place, letter in enumerate(inner):
        quoted ^= letter == '"'
        if quoted:
            continue
        depth += (letter in "([{") - (letter in ")]}")
        if letter == "," and depth == 0:
            found.append(inner[start:place].strip())
            start = place + 1
    return [*found, inner[start:].strip()]
