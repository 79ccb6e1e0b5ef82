"""Two habits of this house's docstrings that Griffe does not read: several arguments in one entry, and `Example:`."""

from __future__ import annotations

import re
from typing import Any

import griffe

_ENTRY = re.compile(
    r"^(?P<indent> +)(?P<names>\*{0,2}\w+(?:, \*{0,2}\w+)+): (?P<text>.*(?:\n(?P=indent) +\S.*)*)", re.MULTILINE
)


class DocstringHabits(griffe.Extension):
    """Gives each of several arguments an entry of its own, with the same text; `Example:` becomes `Examples:`."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        if not obj.docstring:
            return
        text = re.sub(r"^( *)Example:$", r"\1Examples:", obj.docstring.value, flags=re.MULTILINE)
        obj.docstring.value = _ENTRY.sub(_divided, text) if "Args:" in text else text


def _divided(entry: re.Match[str]) -> str:
    names = entry["names"].split(", ")
    return "\n".join(f"{entry['indent']}{name}: {entry['text']}" for name in names)
