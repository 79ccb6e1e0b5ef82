"""What is computed from what is there: activations, arithmetic, reductions. Shapes are in `tree_shapes.py`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ..graph import Node
from .expressions import Words, filled
from .layout import literal
from .tree import TreeWriter

Handler = Callable[[TreeWriter, Node], Sequence[str]]


def each(template: str) -> Handler:
    """An expression of one array: see `Words.each`."""

    def handler(writer: TreeWriter, node: Node) -> Sequence[str]:
        return [filled(template, node, writer.inputs(node)[0])]

    return handler


def _relu(writer: TreeWriter, node: Node) -> Sequence[str]:
    config: Any = node.config
    slope, top, threshold = config["negative_slope"], config["max_value"], config["threshold"]
    (x,), words = writer.inputs(node), writer.words
    if threshold == 0 and slope == 0:
        plain = {None: words.relu, 6.0: words.relu6}.get(top, words.clip)
        return [plain.format(x=x, minimum=0.0, maximum=top)]
    if threshold == 0 and top is None:
        return [words.leaky_relu.format(x=x, negative_slope=slope)]
    upper = x if top is None else f"{words.minimum}({x}, {top!r})"
    return [f"{words.where}({x} > {threshold!r}, {upper}, {slope!r} * ({x} - {threshold!r}))"]


def _between(sign: str) -> Handler:
    """Operands joined by a sign."""

    def handler(writer: TreeWriter, node: Node) -> Sequence[str]:
        # A number below zero would stick to the sign before it.
        shown = [f"({text})" if text.startswith("-") else text for text in writer.inputs(node)]
        return [f" {sign} ".join(shown)]

    return handler


def _average(writer: TreeWriter, node: Node) -> Sequence[str]:
    texts = writer.inputs(node)
    return [f"({' + '.join(texts)}) / {len(texts)}"]


def _pairwise(function: str) -> Handler:
    """A function of two operands, of more one after the other."""

    def handler(writer: TreeWriter, node: Node) -> Sequence[str]:
        text, *others = writer.inputs(node)
        for other in others:
            text = f"{function}({text}, {other})"
        return [text]

    return handler


def _called(function: str) -> Handler:
    """A function of all operands."""

    def handler(writer: TreeWriter, node: Node) -> Sequence[str]:
        return [f"{function}({', '.join(writer.inputs(node))})"]

    return handler


def _joined(function: str) -> Handler:
    def handler(writer: TreeWriter, node: Node) -> Sequence[str]:
        return [f"{function}([{', '.join(writer.inputs(node))}], axis={node.config['axis']})"]

    return handler


def _rescaling(writer: TreeWriter, node: Node) -> Sequence[str]:
    config: Any = node.config
    (x,), words = writer.inputs(node), writer.words
    x = x if writer.spec(node).dtype == "float32" else words.cast.format(x=x, dtype='"float32"')
    scale, offset = (
        f"{words.array}({literal(value)})" if isinstance(value, tuple) else repr(value)
        for value in (config["scale"], config["offset"])
    )
    if config["offset"] == 0:
        return [f"{x} * {scale}"]
    return [f"{x} * {scale} - {offset[1:]}" if offset.startswith("-") else f"{x} * {scale} + {offset}"]


# --- along axes -----------------------------------------------------------------------------------------------------


def _softmax(function: str) -> Handler:
    def handler(writer: TreeWriter, node: Node) -> Sequence[str]:
        (x,) = writer.inputs(node)
        axis = node.config["axis"]
        along = "" if axis == node.outputs[0].rank - 1 else f", axis={literal(axis)}"
        return [f"{function}({x}{along})"]

    return handler


def _reduction(template: str) -> Handler:
    def handler(writer: TreeWriter, node: Node) -> Sequence[str]:
        axis: Any = node.config["axis"]
        (x,) = writer.inputs(node)
        if axis == ():
            return [x]
        shown = axis[0] if isinstance(axis, tuple) and len(axis) == 1 else axis
        keep = ", keepdims=True" if node.config["keepdims"] else ""
        return [template.format(x=x, axis=literal(shown), keep=keep)]

    return handler


def _unit_normalization(writer: TreeWriter, node: Node) -> Sequence[str]:
    return [writer.words.unit.format(x=writer.inputs(node)[0], axis=literal(node.config["axis"]))]


# --- products -------------------------------------------------------------------------------------------------------


def _einsum(writer: TreeWriter, node: Node) -> Sequence[str]:
    return [f"{writer.words.einsum}({literal(node.config['equation'])}, {', '.join(writer.inputs(node))})"]


def _dot(writer: TreeWriter, node: Node) -> Sequence[str]:
    config: Any = node.config
    texts, letters = [], []
    for index, (axis, text) in enumerate(zip(config["axes"], writer.inputs(node), strict=True)):
        texts.append(writer.words.unit.format(x=text, axis=axis) if config["normalize"] else text)
        names = iter("ijkl" if index == 0 else "mnop")
        rank = writer.spec(node, index).rank
        letters.append("".join("b" if a == 0 else "z" if a == axis else next(names) for a in range(rank)))
    result = "b" + "".join(letter for letter in letters[0] + letters[1] if letter not in "bz")
    text = f'{writer.words.einsum}("{letters[0]},{letters[1]}->{result}", {texts[0]}, {texts[1]})'
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


def functions(words: Words) -> dict[str, Handler]:
    """The handlers in a room's words."""
    return {
        **{kind: _between(sign) for kind, sign in _SIGNS.items()},
        **{kind: each(template) for kind, template in words.each.items()},
        **{kind: _called(function) for kind, function in words.called.items()},
        **{kind: _pairwise(function) for kind, function in words.pairwise.items()},
        **{kind: _joined(function) for kind, function in words.joined.items()},
        **{kind: _reduction(template) for kind, template in words.reductions.items()},
        **{kind: _softmax(function) for kind, function in words.softmax.items()},
        "relu": _relu,
        "average": _average,
        "clip": each(words.clip),
        "cast": each(words.cast),
        "leaky_relu": each(words.leaky_relu),
        "relu6": each(words.relu6),
        "rescaling": _rescaling,
        "unit_normalization": _unit_normalization,
        "einsum": _einsum,
        "dot": _dot,
    }
