"""The setting `stored`: whether data are loaded, or stay in their files and are read while a model trains on them."""

from __future__ import annotations

from ..storage.memory import memory_size
from .data_name import parse_flag

# Data that are larger in memory stay in their files, unless an eighth of the memory is less.
_LARGE = 2**30  # bytes
_SHARE = 8


def is_stored(size: int, stored: str) -> bool:
    """Return whether data of this many bytes in memory stay in their files.

    Args:
        stored: `yes`, `no`, or empty for the rule: those that are large.

    Raises:
        DataError: another value of `stored`.
    """
    return parse_flag("stored", stored) if stored else size > min(_LARGE, memory_size() // _SHARE)
