"""The arguments of one of PyTorch's operators, and the type of a translation to nodes of `foreign_graph.py`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ....errors import PortError
from ..foreign_graph import ForeignNode, Operand


@dataclass(frozen=True)
class Arguments:
    """The arguments of one operator.

    Attributes:
        operator: its name, such as "aten.linear.default".
        values: by their names in torch's schema.
        outputs: the names of its outputs.
    """

    operator: str
    values: Mapping[str, Operand]
    outputs: tuple[str, ...]

    def __call__(self, name: str, default: Any = None) -> Any:
        # An operator that works in place calls its array `self`, whatever its twin calls it.
        name = "self" if name == "input" and name not in self.values else name
        return self.values.get(name, default)

    def sizes(self, name: str, rank: int, default: int | None = None) -> tuple[Any, ...]:
        """Return one number per axis; a single number, or a list with one, applies to every axis."""
        value = self.values.get(name)
        value = (default,) if value in (None, ()) else value
        value = value if isinstance(value, tuple) else (value,)
        return tuple(value) * rank if len(value) == 1 else value

    def node(self, kind: str, *inputs: Operand, **attributes: Operand) -> ForeignNode:
        return ForeignNode(kind, inputs, self.outputs, attributes, self.operator)


Translation = Callable[[Arguments], Iterator[ForeignNode]]


def as_kind(kind: str, *inputs: str, **attributes: tuple[str, Any]) -> Translation:
    """Translate an operator into one kind: names of its inputs; for each attribute (the name in torch, the default)."""

    def translate(arguments: Arguments) -> Iterator[ForeignNode]:
        settings = {name: arguments(argument, default) for name, (argument, default) in attributes.items()}
        yield arguments.node(kind, *(arguments(name) for name in inputs), **settings)

    return translate


def unsupported(arguments: Arguments, why: str) -> PortError:
    return PortError(f"{arguments.operator} ({', '.join(arguments.outputs)}): {why}")
