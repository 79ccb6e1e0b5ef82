"""What one of PyTorch's operators is given, and how it becomes a node of `foreign_graph.py`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ....errors import PortError
from ..foreign_graph import Node, Operand


@dataclass(frozen=True)
class Arguments:
    """What one operator is given.

    Attributes:
        operator: its name, such as "aten.linear.default".
        values: by the names of torch's schema.
        outputs: the names of what it gives.
    """

    operator: str
    values: Mapping[str, Operand]
    outputs: tuple[str, ...]

    def __call__(self, name: str, default: Any = None) -> Any:
        return self.values.get(name, default)

    def sizes(self, name: str, rank: int, default: int | None = None) -> tuple[Any, ...]:
        """One number an axis: a single one, or one in a list, holds for all."""
        found = self.values.get(name)
        found = (default,) if found in (None, ()) else found
        found = found if isinstance(found, tuple) else (found,)
        return tuple(found) * rank if len(found) == 1 else found

    def node(self, kind: str, *inputs: Operand, **attributes: Operand) -> Node:
        return Node(kind, inputs, self.outputs, attributes, self.operator)


Translation = Callable[[Arguments], Iterator[Node]]


def as_kind(kind: str, *inputs: str, **attributes: tuple[str, Any]) -> Translation:
    """An operator that is one kind: inputs by their names, attributes by theirs with the default."""

    def translate(given: Arguments) -> Iterator[Node]:
        found = {name: given(argument, default) for name, (argument, default) in attributes.items()}
        yield given.node(kind, *(given(name) for name in inputs), **found)

    return translate


def refused(given: Arguments, why: str) -> PortError:
    return PortError(f"{given.operator} ({', '.join(given.outputs)}): {why}")
