"""Checks settings from a file against the field types that a dataclass declares."""

from __future__ import annotations

import types
from dataclasses import fields, is_dataclass
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints


def require_field_types(value: Any) -> None:
    """Raise a TypeError unless each field of a dataclass has the type of its annotation.

    The annotation may be int, float, str, bool, None, a Literal of str, a tuple, a dataclass, or a union of
    these.
    """
    hints = get_type_hints(type(value))
    for field in fields(value):
        content = getattr(value, field.name)
        if not _has_type(content, hints[field.name]):
            raise TypeError(f"{field.name} of {type(value).__name__} is {str(content)[:40]!r}, expected {field.type}")


def _has_type(value: Any, hint: Any) -> bool:
    origin, inner = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return any(_has_type(value, option) for option in inner)
    if origin is Literal:
        return isinstance(value, str) and value in inner
    if origin is tuple:
        kinds = [inner[0]] * len(value) if isinstance(value, tuple) and inner[-1] is Ellipsis else inner
        return isinstance(value, tuple) and len(value) == len(kinds) and all(map(_has_type, value, kinds))
    if isinstance(hint, type) and is_dataclass(hint) and isinstance(value, hint):
        require_field_types(value)
        return True
    if hint in (int, float):
        return isinstance(value, int if hint is int else int | float) and not isinstance(value, bool)
    return isinstance(value, hint)
