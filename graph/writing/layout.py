"""Python text in the layout of ruff's formatter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

WIDTH = 88  # the default of ruff and black


def call(name: str, *arguments: object, **keywords: object) -> str:
    """Return `name(arguments, key=value)`. Arguments are Python text, keywords are values."""
    texts = [str(argument) for argument in arguments]
    texts += [f"{key}={literal(value)}" for key, value in keywords.items()]
    return f"{name}({', '.join(texts)})"


def literal(value: Any) -> str:
    """Return a plain Python value as source text; infinity as `float("inf")`."""
    if isinstance(value, float) and value in (float("inf"), float("-inf")):
        return 'float("inf")' if value > 0 else '-float("inf")'
    if isinstance(value, str):
        return f'"{value}"'
    if isinstance(value, (tuple, list)):
        inner = ", ".join(literal(item) for item in value)
        return f"({inner},)" if len(value) == 1 else f"({inner})"
    return repr(value)


def scalar_or_tuple(values: Sequence[int]) -> str:
    """Return (3, 3) as 3 and (3, 5) as (3, 5): PyTorch accepts one number for all axes."""
    return literal(values[0]) if len(set(values)) == 1 else literal(tuple(values))


def non_default(keywords: Mapping[str, tuple[str, str]]) -> list[str]:
    """Return `key=value` for the keywords that differ from their default: key → (value, default), as Python text."""
    return [f"{key}={value}" for key, (value, default) in keywords.items() if value != default]


def statement(text: str, indent: int, comma: bool = False) -> list[str]:
    """Return a statement as lines. A long call is broken inside the bracket that its last character closes.

    Args:
        comma: whether the caller puts a comma behind it.
    """
    start = " " * indent
    if len(start + text) + comma <= WIDTH or not text.endswith(")"):
        return [start + text]
    opening = _opening(text)
    head, inner = text[: opening + 1], text[opening + 1 : -1]
    within = " " * (indent + 4)
    if len(within + inner) <= WIDTH:
        return [start + head, within + inner, start + ")"]
    lines = [start + head]
    for argument in _arguments(inner):
        *first, last = statement(argument, indent + 4, comma=True)
        lines += [*first, last + ","]
    return [*lines, start + ")"]


def _opening(text: str) -> int:
    """Return the position of the bracket that matches the text's last character."""
    depth = 0
    for position in range(len(text) - 1, -1, -1):
        depth += (text[position] in ")]}") - (text[position] in "([{")
        if depth == 0:
            return position
    raise ValueError(f"unbalanced: {text}")


def _arguments(inner: str) -> list[str]:
    """Split arguments at the commas outside brackets and quotes."""
    arguments, depth, quoted, start = [], 0, False, 0
    for position, letter in enumerate(inner):
        quoted ^= letter == '"'
        if quoted:
            continue
        depth += (letter in "([{") - (letter in ")]}")
        if letter == "," and depth == 0:
            arguments.append(inner[start:position].strip())
            start = position + 1
    return [*arguments, inner[start:].strip()]
