"""The type of a translation from an ONNX operator to nodes of `foreign_graph.py`, and helpers for it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from ....errors import PortError
from ..foreign_graph import ForeignNode
from .call import OnnxCall

Translation = Callable[[OnnxCall], Iterable[ForeignNode]]


def unsupported(call: OnnxCall, why: str) -> PortError:
    return PortError(f"{call.operator} ({call.outputs[0]}) cannot be rebuilt in Keras: {why}")


def as_kind(kind: str, **attributes: tuple[str, Any]) -> Translation:
    """Translate an operator into one kind: for each attribute, (the name in ONNX, the default)."""

    def translate(call: OnnxCall) -> Iterator[ForeignNode]:
        yield call.node(kind, *call.inputs, **{name: call.get(*lookup) for name, lookup in attributes.items()})

    return translate
