"""The refusal of what is not covered: all of it at once, by name, before anything is built."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from ...errors import PortError


def refuse(operators: Sequence[str], path: Path) -> None:
    """Raise a PortError that names each operator and how often it is there; nothing when there is none."""
    if not operators:
        return
    found = Counter(operators)
    names = ", ".join(f"{name[:60]} ({count})" if count > 1 else name[:60] for name, count in sorted(found.items()))
    raise PortError(f"{path} has operators that cannot be rebuilt in Keras: {names}")
