"""Handlers of kinds without weights: activations, arithmetic, reductions. Shapes are in `tree_shapes.py`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..graph import GraphNode
from .expressions import Dialect, fill_template
from .layout import literal
from .tree import TreeHandler, TreeWriter


def elementwise(template: str) -> TreeHandler:
    """Return a handler that fills in a template: see `Dialect.elementwise`."""

    def handler(writer: TreeWriter, node: GraphNode) -> Sequence[str]:
        return [fill_template(template, node, writer.inputs(node)[0])]

    return handler


def _relu(writer: TreeWriter, node: GraphNode) -> Sequence[str]:
    config: Any = node.config
    slope, top, threshold = config["negative_slope"], config["max_value"], config["threshold"]
    (x,), dialect = writer.inputs(node), writer.dialect
    if threshold == 0 and slope == 0:
        plain = {None: dialect.relu, 6.0: dialect.relu6}.get(top, dialect.clip)
        return [plain.format(x=x, minimum=0.0, maximum=top)]
    if threshold == 0 and top is None:
        return [dialect.leaky_relu.format(x=x, negative_slope=slope)]
    upper = x if top is None else f"{dialect.minimum}({x}, {top!r})"
    return [f"{dialect.where}({x} > {threshold!r}, {upper}, {slope!r} * ({x} - {threshold!r}))"]


def _infix(sign: str) -> TreeHandler:
    """Return a handler that joins operands by a sign."""

    def handler(writer: TreeWriter, node: GraphNode) -> Sequence[str]:
        # A negative number needs parentheses after another sign.
        operands = [f"({text})" if text.startswith("-") else text for text in writer.inputs(node)]
        return [f" {sign} ".join(operands)]

    return handler


def _average(writer: TreeWriter, node: GraphNode) -> Sequence[str]:
    texts = writer.inputs(node)
    return [f"({' + '.join(texts)}) / {len(texts)}"]


def _pairwise(function: str) -> TreeHandler:
    """Return a handler that nests calls of a function of two operands."""

    def handler(writer: TreeWriter, node: GraphNode) -> Sequence[str]:
        text, *others = writer.inputs(node)
        for other in others:
            text = f"{function}({text}, {other})"
        return [text]

    return handler


def _function_call(function: str) -> TreeHandler:
    """Return a handler that calls a function of all operands."""

    def handler(writer: TreeWriter, node: GraphNode) -> Sequence[str]:
        return [f"{function}({', '.join(writer.inputs(node))})"]

    return handler


def _join(function: str) -> TreeHandler:
    def handler(writer: TreeWriter, node: GraphNode) -> Sequence[str]:
        return [f"{function}([{', '.join(writer.inputs(node))}], axis={node.config['axis']})"]

    return handler


def _rescaling(writer: TreeWriter, node: GraphNode) -> Sequence[str]:
    config: Any = node.config
    (x,), dialect = writer.inputs(node), writer.dialect
    x = x if writer.spec(node).dtype == "float32" else dialect.cast.format(x=x, dtype='"float32"')
    scale, offset = (
        f"{dialect.array}({literal(value)})" if isinstance(value, tuple) else repr(value)
        for value in (config["scale"], config["offset"])
    )
    if config["offset"] == 0:
        return [f"{x} * {scale}"]
    return [f"{x} * {scale} - {offset[1:]}" if offset.startswith("-") else f"{x} * {scale} + {offset}"]


# --- along axes -----------------------------------------------------------------------------------------------------


def _softmax(function: str) -> TreeHandler:
    def handler(writer: TreeWriter, node: GraphNode) -> Sequence[str]:
        (x,) = writer.inputs(node)
        axis = node.config["axis"]
        along = "" if axis == node.outputs[0].rank - 1 else f", axis={literal(axis)}"
        return [f"{function}({x}{along})"]

    return handler


def _reduction(template: str) -> TreeHandler:
    def handler(writer: TreeWriter, node: GraphNode) -> Sequence[str]:
        axis: Any = node.config["axis"]
        (x,) = writer.inputs(node)
        if axis == ():
            return [x]
        axes = axis[0] if isinstance(axis, tuple) and len(axis) == 1 else axis
        keep = ", keepdims=True" if node.config["keepdims"] else ""
        return [template.format(x=x, axis=literal(axes), keep=keep)]

    return handler


def _unit_normalization(writer: TreeWriter, node: GraphNode) -> Sequence[str]:
    return [writer.dialect.l2_normalize.format(x=writer.inputs(node)[0], axis=literal(node.config["axis"]))]


# --- products -------------------------------------------------------------------------------------------------------


def _einsum(writer: TreeWriter, node: GraphNode) -> Sequence[str]:
    return [f"{writer.dialect.einsum}({literal(node.config['equation'])}, {', '.join(writer.inputs(node))})"]


def _dot(writer: TreeWriter, node: GraphNode) -> Sequence[str]:
    config: Any = node.config
    texts, letters = [], []
    for index, (axis, text) in enumerate(zip(config["axes"], writer.inputs(node), strict=True)):
        texts.append(writer.dialect.l2_normalize.format(x=text, axis=axis) if config["normalize"] else text)
        names = iter("ijkl" if index == 0 else "mnop")
        rank = writer.spec(node, index).rank
        letters.append("".join("b" if a == 0 else "z" if a == axis else next(names) for a in range(rank)))
    result = "b" + "".join(letter for letter in letters[0] + letters[1] if letter not in "bz")
    text = f'{writer.dialect.einsum}("{letters[0]},{letters[1]}->{result}", {texts[0]}, {texts[1]})'
    return [f"{text}[:, None]" if result == "b" else text]


_SIGNS = {
    "add": "+",
    "subtract": "-",
    "multiply": "*",
    "divide": "/",
    "power": "**",
    "floor_divide": "//",
    "mod": "%",
    "greater": ">",
    "greater_equal": ">=",
    "less": "<",
    "less_equal": "<=",
    "matmul": "@",
}


def elementary_handlers(dialect: Dialect) -> dict[str, TreeHandler]:
    """Return the handlers of kinds without weights, in a framework's dialect."""
    return {
        **{kind: _infix(sign) for kind, sign in _SIGNS.items()},
        **{kind: elementwise(template) for kind, template in dialect.elementwise.items()},
        **{kind: _function_call(function) for kind, function in dialect.functions.items()},
        **{kind: _pairwise(function) for kind, function in dialect.pairwise.items()},
        **{kind: _join(function) for kind, function in dialect.joins.items()},
        **{kind: _reduction(template) for kind, template in dialect.reductions.items()},
        **{kind: _softmax(function) for kind, function in dialect.softmax.items()},
        "relu": _relu,
        "average": _average,
        "clip": elementwise(dialect.clip),
        "cast": elementwise(dialect.cast),
        "leaky_relu": elementwise(dialect.leaky_relu),
        "relu6": elementwise(dialect.relu6),
        "rescaling": _rescaling,
        "unit_normalization": _unit_normalization,
        "einsum": _einsum,
        "dot": _dot,
    }
