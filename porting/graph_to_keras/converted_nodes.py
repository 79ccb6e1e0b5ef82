"""The node of an operator that a user's converter computes; `converted.py` builds it."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from .foreign_graph import ForeignNode, Operand

KIND = "converted"
# The targets of the user's converters, such as "torch:aten.frac.default".
Targets = Collection[str]


def converted_node(
    target: str, arguments: Mapping[str, Operand], outputs: tuple[str, ...], operator: str, arrays: int = 1
) -> ForeignNode:
    """Return the node of an operator.

    Args:
        target: of its converter.
        arguments: by the names that the operator has for them.
        arrays: the number of the first arguments that the converter takes by position.
    """
    attributes = {"target": target, "names": tuple(arguments), "arrays": arrays}
    return ForeignNode(KIND, tuple(arguments.values()), outputs, attributes, operator)
