"""Refuse a network with unsupported operators: all are named at once, before anything is built."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from ...errors import PortError
from ..converters import teach

# Operators of graphs within the graph, which no converter can compute.
_CONTROL_FLOW = frozenset(("If", "Loop", "Scan"))


def refuse(operators: Sequence[str], path: Path, target: str) -> None:
    """Raise a PortError that names each operator and its count. Do nothing if the list is empty.

    Args:
        operators: their names.
        path: the file.
        target: what stands before the name of an operator in the target of a converter.
    """
    if not operators:
        return
    counts = Counter(operators)
    names = ", ".join(f"{name[:60]} ({count})" if count > 1 else name[:60] for name, count in sorted(counts.items()))
    teachable = min((name for name in counts if name not in _CONTROL_FLOW), default=None)
    hint = teach(target + teachable[:60]) if teachable else ""
    raise PortError(f"{path} has operators that cannot be rebuilt in Keras: {names}{hint}")
