"""Settings out of a file, against the kinds that a dataclass declares for them."""

from __future__ import annotations

import types
from dataclasses import fields
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints


def require_kinds(value: Any) -> None:
    """Raise a TypeError unless every field of a dataclass is of the kind that its annotation says.

    Known are numbers, words, truth values, None, choices, tuples, and unions of these.
    """
    hints = get_type_hints(type(value))
    for field in fields(value):
        found = getattr(value, field.name)
        if not _is_a(found, hints[field.name]):
            raise TypeError(f"{field.name} of {type(value).__name__} is {str(found)[:40]!r}, which cannot be")


def _is_a(value: Any, hint: Any) -> bool:
    origin, inner = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return any(_is_a(value, each) for each in inner)
    if origin is Literal:
        return isinstance(value, str) and value in inner
    if origin is tuple:
        kinds = [inner[0]] * len(value) if isinstance(value, tuple) and inner[-1] is Ellipsis else inner
        return isinstance(value, tuple) and len(value) == len(kinds) and all(map(_is_a, value, kinds))
    if hint in (int, float):
        return isinstance(value, int if hint is int else int | float) and not isinstance(value, bool)
    return isinstance(value, hint)
