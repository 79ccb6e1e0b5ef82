"""Text that is safe on a terminal: a file from a stranger may hold control sequences."""

from __future__ import annotations


def printable(text: str) -> str:
    """Return the text with its unprintable characters, but for line ends and tabs, replaced."""
    return "".join(
        letter if letter.isprintable() or letter in "\n\t" else "\N{REPLACEMENT CHARACTER}" for letter in text
    )
