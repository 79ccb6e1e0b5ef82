"""How one operator of ONNX becomes nodes of `foreign_graph.py`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from ....errors import PortError
from ..foreign_graph import Node
from .call import Call

Translation = Callable[[Call], Iterable[Node]]


def refused(call: Call, why: str) -> PortError:
    return PortError(f"{call.operator} ({call.outputs[0]}) cannot be rebuilt in Keras: {why}")


def attribute(kind: str, **attributes: tuple[str, Any]) -> Translation:
    """An operator that is one kind, its settings by their names here."""

    def translate(call: Call) -> Iterator[Node]:
        yield call.node(kind, *call.inputs, **{name: call.get(*given) for name, given in attributes.items()})

    return translate
