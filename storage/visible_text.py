"""The one door for text that came from a file: its control characters are written out, so that they steer nothing.

A label, a file name or an error message from a stranger may hold sequences that change a terminal's title, hide a line
or forge another one, or turn the direction of the text. All commands and pages show text through `visible`.
"""

from __future__ import annotations

import unicodedata
from typing import Any

# Controls, formats such as a change of direction, surrogates, private and unassigned characters, separators of lines.
_STEERING = ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")
# Formats that some scripts and emoji need within a word.
_JOINERS = "\N{ZERO WIDTH NON-JOINER}\N{ZERO WIDTH JOINER}"


def visible(text: str, *, keep: str = "") -> str:
    r"""Return the text with its control characters as escapes.

    Args:
        text: any text; undecodable bytes of a file name may be surrogates.
        keep: control characters to leave as they are, such as the line ends of a text of several lines.

    Example:
        >>> visible("red \x1b[31m")
        'red \\x1b[31m'
    """
    if text.isprintable():
        return text
    return "".join(_escape(letter) if _steers(letter) and letter not in keep else letter for letter in text)


def visible_values(value: Any) -> Any:
    """Return a JSON value with all of its texts, the names among them, as `visible` returns them."""
    if isinstance(value, str):
        return visible(value)
    if isinstance(value, dict):
        return {visible(name): visible_values(each) for name, each in value.items()}
    return [visible_values(each) for each in value] if isinstance(value, list | tuple) else value


def _steers(letter: str) -> bool:
    return unicodedata.category(letter) in _STEERING and letter not in _JOINERS


def _escape(letter: str) -> str:
    return letter.encode("unicode_escape").decode("ascii")
