"""Formatted numbers, with separators, signs or units, such as 1,234 or 5 %: they are read as words."""

from __future__ import annotations

import re
from collections.abc import Sequence

_CURRENCY = "$€£¥"
# Digits in groups or not, with a fraction or not; before or behind them a sign, a currency or a percent sign.
_FORMATTED = re.compile(
    rf"[{_CURRENCY}]?\s*[-+−–]?\s*[{_CURRENCY}]?\s*(\d{{1,3}}([,.'’\s]\d{{3}})+|\d+)([.,]\d+)?\s*[{_CURRENCY}%‰]?"
)
_PLAIN = re.compile(r"[-+]?\d+(\.\d+)?")
_HEXADECIMAL = re.compile(r"0x[0-9a-f]+", re.IGNORECASE)
# Above this share of such words, a column is meant to hold numbers.
_MOSTLY = 0.9


def formatted_number(words: Sequence[str]) -> str:
    """Return one of the words of a column if most of them are formatted numbers; else an empty string.

    Args:
        words: the different words of a column that is not read as numbers.
    """
    numbers = [word for word in words if _FORMATTED.fullmatch(word.strip()) or _HEXADECIMAL.fullmatch(word.strip())]
    if len(numbers) < _MOSTLY * len(words):
        return ""
    return next((word for word in numbers if not _PLAIN.fullmatch(word.strip())), "")
