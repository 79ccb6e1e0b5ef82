"""The node of an operator that a user's converter computes; `converted.py` builds it."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from .foreign_graph import ForeignNode, Operand

KIND = "converted"
# The targets of the user's converters, such as "torch:aten.frac.default".
Targets = Collection[str]


def converted_node(
    target: str, arguments: Mapping[str, Operand], outputs: tuple[str, ...], operator: str, positional_count: int = 1
) -> ForeignNode:
    """Return the node of an operator.

    Args:
        target: of its converter.
        arguments: by the names that the operator has for them.
        positional_count: how many of the first arguments the converter takes by position.
    """
    attributes = {"target": target, "names": tuple(arguments), "positional_count": positional_count}
    return ForeignNode(KIND, tuple(arguments.values()), outputs, attributes, operator)
