"""Refuse a network with unsupported operators: all are named at once, before anything is built."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from ...errors import PortError


def refuse(operators: Sequence[str], path: Path) -> None:
    """Raise a PortError that names each operator and its count. Do nothing if the list is empty."""
    if not operators:
        return
    counts = Counter(operators)
    names = ", ".join(f"{name[:60]} ({count})" if count > 1 else name[:60] for name, count in sorted(counts.items()))
    raise PortError(f"{path} has operators that cannot be rebuilt in Keras: {names}")
