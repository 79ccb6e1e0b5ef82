"""Python text in the layout of ruff's formatter."""

from __future__ import annotations

from collections.abc import Sequence
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


def statement(text: str, indent: int, comma: bool = False) -> list[str]:
    """Return a statement as lines. A long call is broken inside the bracket that its last character closes.

    Args:
        comma: whether the caller puts a comma behind it.
    """
    start = " " * indent
    if len(start + text) + comma <= WIDTH:
        return [start + text]
    if text.endswith(":"):
        *first, last = statement(text[:-1], indent, comma=True)
        return [*first, f"{last}:"]
    if not text.endswith((")", "]", "}")):
        return [start + text]
    opening = _opening(text)
    is_display = not text[:opening] or text[:opening].endswith((" ", "(", "[", "{"))
    head, inner, end = text[: opening + 1], text[opening + 1 : -1], start + text[-1]
    clauses, arguments = _clauses(inner), _arguments(inner)
    if text[opening] == "[" and not is_display and len(arguments) > 1:  # a slice
        return [start + text]
    target, equals, value = text.partition(" = ")
    if equals and len(start + head) > WIDTH and max(len(target) + 4, len(value) + 4) <= WIDTH - indent:
        return [f"{start}{target} = (", f"{start}    {value}", f"{start})"]
    fits = len(start + "    " + inner) <= WIDTH
    if fits and not (is_display and len(clauses) == 1 and (len(arguments) > 1 or text[-1] == "}")):
        return [start + head, f"{start}    {inner}", end]
    is_group = text[opening] == "(" and is_display and len(arguments) == 1 and not inner.endswith(",")
    if len(clauses) > 1 or is_group or (len(arguments) == 1 and not is_display):
        return [start + head, *(line for clause in clauses for line in statement(clause, indent + 4)), end]
    items = [statement(argument, indent + 4, comma=True) for argument in arguments]
    return [start + head, *(line for *first, last in items for line in (*first, f"{last},")), end]


def signature(name: str, arguments: Sequence[str], annotation: str, indent: int = 0) -> list[str]:
    """Return the first lines of a function, broken between its arguments where they are long."""
    start = " " * indent
    line = f"{start}def {name}({', '.join(arguments)}) -> {annotation}:"
    if len(line) <= WIDTH:
        return [line]
    inner = f"{start}    {', '.join(arguments)}"
    if len(inner) <= WIDTH:
        return [f"{start}def {name}(", inner, f"{start}) -> {annotation}:"]
    return [f"{start}def {name}(", *(f"{start}    {each}," for each in arguments), f"{start}) -> {annotation}:"]


def text_lines(text: str, indent: int) -> list[str]:
    """Return the statements of a text, one on each of its lines, as lines. A line that ends with a comma keeps it."""
    lines: list[str] = []
    for line in text.splitlines():
        inner = line.lstrip(" ")
        within = indent + len(line) - len(inner)
        if inner.endswith(","):
            *first, last = statement(inner[:-1], within, comma=True)
            lines += [*first, f"{last},"]
        else:
            lines += statement(inner, within)
    return lines


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
    return [argument for argument in _split(inner, ",") if argument]


def _clauses(inner: str) -> list[str]:
    """Split a comprehension before its `for`."""
    first, *others = _split(inner, " for ")
    return [first, *(f"for {other}" for other in others)]


def _split(inner: str, separator: str) -> list[str]:
    """Split a text at the separators outside brackets and quotes."""
    parts, depth, quoted, start = [], 0, False, 0
    for position, letter in enumerate(inner):
        quoted ^= letter == '"'
        if quoted:
            continue
        depth += (letter in "([{") - (letter in ")]}")
        if depth == 0 and inner.startswith(separator, position):
            parts.append(inner[start:position].strip())
            start = position + len(separator)
    return [*parts, inner[start:].strip()]
