"""The expressions of a framework, for the kinds that every framework has a function for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from string import Formatter

from ..graph import GraphNode
from .layout import literal


@dataclass(frozen=True)
class Dialect:
    """A framework's expressions and function names. Every mapping is by kind.

    Attributes:
        elementwise: templates of one array: `{x}` is the array, other names are configuration, written as Python.
        functions: functions of all operands.
        pairwise: functions of two operands, nested for further operands.
        joins: functions of a list of arrays and `axis=`.
        reductions: templates with `{x}`, `{axis}` and `{keep}`, the last for `keepdims`.
        activations: a recurrent layer's activation as a Python function.
        relu, relu6, leaky_relu, clip, cast: templates.
        where, minimum, array, einsum: names of functions.
        softmax: functions of one array along `axis=`.
        l2_normalize: a template that scales to L2 norm 1 along `{axis}`.
    """

    elementwise: Mapping[str, str]
    functions: Mapping[str, str]
    pairwise: Mapping[str, str]
    joins: Mapping[str, str]
    reductions: Mapping[str, str]
    activations: Mapping[str, str]
    clip: str
    where: str
    minimum: str
    cast: str
    array: str
    einsum: str
    l2_normalize: str
    relu: str
    relu6: str
    leaky_relu: str
    softmax: Mapping[str, str] = field(default_factory=dict)


def fill_template(template: str, node: GraphNode, x: str) -> str:
    """Return a template of `Dialect.elementwise` filled in for a node."""
    settings = {name for _, name, _, _ in Formatter().parse(template) if name and name != "x"}
    return template.format(x=x, **{name: literal(node.config[name]) for name in settings})


def shape_text(shape: Sequence[int | None], batch: str) -> str:
    """Return a shape as text, with the expression `batch` for lengths that are None."""
    texts = [batch if length is None else str(length) for length in shape]
    return f"({', '.join(texts)}{',' if len(texts) == 1 else ''})"
