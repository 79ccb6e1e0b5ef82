"""How a framework says what is computed: expressions for the kinds that every framework has a function for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from string import Formatter

from ..graph import Node
from .layout import literal


@dataclass(frozen=True)
class Words:
    """The vocabulary of a room.

    Attributes:
        each: of one array, by kind: `{x}` is the array, other names are configuration, written as Python.
        called: functions of all operands, by kind.
        pairwise: functions of two operands, called again for each further one.
        joined: functions of a list of arrays and `axis=`.
        reductions: the methods or functions that reduce, by kind: `{x}`, and `{axis}` and `{keep}` behind it.
        activations: what a recurrent layer's activation is called, by kind.
        relu, relu6, leaky_relu, clip, cast: expressions.
        where, minimum, array, einsum: names of functions.
        softmax: functions of one array along `axis=`, by kind.
        unit: an expression of length one along `{axis}`.
    """

    each: Mapping[str, str]
    called: Mapping[str, str]
    pairwise: Mapping[str, str]
    joined: Mapping[str, str]
    reductions: Mapping[str, str]
    activations: Mapping[str, str]
    clip: str
    where: str
    minimum: str
    cast: str
    array: str
    einsum: str
    unit: str
    relu: str
    relu6: str
    leaky_relu: str
    softmax: Mapping[str, str] = field(default_factory=dict)


def filled(template: str, node: Node, x: str) -> str:
    """A template of `Words.each` for a node."""
    wanted = {name for _, name, _, _ in Formatter().parse(template) if name and name != "x"}
    return template.format(x=x, **{name: literal(node.config[name]) for name in wanted})


def lengths(shape: Sequence[int | None], batch: str) -> str:
    """A shape as text, `batch` standing where the batch's own length does."""
    shown = [batch if length is None else str(length) for length in shape]
    return f"({', '.join(shown)}{',' if len(shown) == 1 else ''})"
