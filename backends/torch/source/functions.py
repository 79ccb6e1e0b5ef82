"""What is computed from what is there: activations, arithmetic, reductions. Shapes are in `shapes.py`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ....graph.graph import Node, Reference
from ....graph.writing.layout import literal
from .layers import Handler
from .shapes import HANDLERS as SHAPES
from .values import Value, plainly
from .writer import Writer

# --- elementwise ----------------------------------------------------------------------------------------------------


def _each(template: str, *settings: str) -> Handler:
    """An expression of each element: `{x}` is the array, other names are configuration."""

    def handler(writer: Writer, node: Node) -> Sequence[Value]:
        value = writer.input(node)
        if template.count("{x}") > 1 or not template.endswith(")"):
            value = writer.named(value, node)
        given = {name: literal(node.config[name]) for name in settings}
        return [Value(template.format(x=value.text, **given), value.order, value.rows)]

    return handler


def _relu(writer: Writer, node: Node) -> Sequence[Value]:
    config: Any = node.config
    slope, top, threshold = config["negative_slope"], config["max_value"], config["threshold"]
    value = writer.input(node)
    if threshold == 0 and slope == 0:
        text = {None: "F.relu({x})", 6.0: "F.relu6({x})"}.get(top, f"{{x}}.clamp(0.0, {top!r})").format(x=value.text)
    elif threshold == 0 and top is None:
        text = f"F.leaky_relu({value.text}, {slope!r})"
    else:
        value = writer.named(value, node)
        x = value.text
        upper = x if top is None else f"{x}.clamp(max={top!r})"
        text = f"torch.where({x} > {threshold!r}, {upper}, {slope!r} * ({x} - {threshold!r}))"
    return [Value(text, value.order, value.rows)]


def _aligned(writer: Writer, node: Node) -> tuple[list[str], tuple[int, ...]]:
    """The operands as text, arrays with their axes in one order, and that order."""
    arrays = [operand for operand in node.inputs if isinstance(operand, Reference)]
    rank = node.outputs[0].rank
    values = [writer.operand(operand) for operand in arrays]
    orders = [value.order for value in values if isinstance(value, Value)]
    same_rank = all(len(order) == rank for order in orders)
    order = next((order for order in orders if order != plainly(rank)), plainly(rank)) if same_rank else plainly(rank)
    texts = []
    for operand in node.inputs:
        value = writer.operand(operand)
        if isinstance(value, Value):
            value = value.arranged(order if same_rank else plainly(len(value.order)))
        texts.append(value.text if isinstance(value, Value) else value)
    return texts, order


def _between(sign: str) -> Handler:
    """Operands joined by a sign."""

    def handler(writer: Writer, node: Node) -> Sequence[Value]:
        texts, order = _aligned(writer, node)
        # A number below zero would stick to the sign before it.
        shown = [f"({text})" if text.startswith("-") else text for text in texts]
        return [Value(f" {sign} ".join(shown), order)]

    return handler


def _average(writer: Writer, node: Node) -> Sequence[Value]:
    texts, order = _aligned(writer, node)
    return [Value(f"({' + '.join(texts)}) / {len(texts)}", order)]


def _pairwise(function: str, bound: str) -> Handler:
    """`torch.maximum` of arrays one after the other; with numbers, a clamp."""

    def handler(writer: Writer, node: Node) -> Sequence[Value]:
        texts, order = _aligned(writer, node)
        arrays = [text for text, one in zip(texts, node.inputs, strict=True) if isinstance(one, Reference)]
        numbers = [text for text, one in zip(texts, node.inputs, strict=True) if not isinstance(one, Reference)]
        text = arrays[0]
        for other in arrays[1:]:
            text = f"{function}({text}, {other})"
        for number in numbers:
            text = f"{text}.clamp({bound}={number})"
        return [Value(text, order)]

    return handler


def _called(function: str) -> Handler:
    """A function of all operands."""

    def handler(writer: Writer, node: Node) -> Sequence[Value]:
        texts, order = _aligned(writer, node)
        return [Value(f"{function}({', '.join(texts)})", order)]

    return handler


def _divide(writer: Writer, node: Node) -> Sequence[Value]:
    return _between("/")(writer, node)


def _clip(writer: Writer, node: Node) -> Sequence[Value]:
    value, config = writer.input(node), node.config
    return [Value(f"{value.text}.clamp({literal(config['minimum'])}, {literal(config['maximum'])})", value.order)]


def _cast(writer: Writer, node: Node) -> Sequence[Value]:
    value, dtype = writer.input(node), node.config["dtype"]
    method = "float()" if dtype == "float32" else f"to(torch.{dtype})"
    return [Value(f"{value.text}.{method}", value.order, value.rows)]


def _rescaling(writer: Writer, node: Node) -> Sequence[Value]:
    config: Any = node.config
    if any(isinstance(config[name], tuple) for name in ("scale", "offset")):
        value = writer.plain(node)
        shown = [
            f"{value.text}.new_tensor({literal(config[name])})"
            if isinstance(config[name], tuple)
            else literal(config[name])
            for name in ("scale", "offset")
        ]
        return [Value(f"{value.text} * {shown[0]} + {shown[1]}", value.order)]
    value = writer.input(node)
    scale, offset = config["scale"], config["offset"]
    text = f"{value.text} * {scale!r}"
    if offset:
        text += f" - {-offset!r}" if offset < 0 else f" + {offset!r}"
    return [Value(text, value.order, value.rows)]


# --- along axes -----------------------------------------------------------------------------------------------------


def _along(template: str, *settings: str) -> Handler:
    """A function along one axis, `{dim}`, that keeps the shape."""

    def handler(writer: Writer, node: Node) -> Sequence[Value]:
        config: Any = node.config
        value = writer.input(node)
        given = {name: literal(config[name]) for name in settings}
        return [Value(template.format(x=value.text, dim=value.place(config["axis"]), **given), value.order)]

    return handler


def _softmax(name: str) -> Handler:
    def handler(writer: Writer, node: Node) -> Sequence[Value]:
        axis: Any = node.config["axis"]
        value = writer.input(node)
        if isinstance(axis, int):
            place = value.place(axis)
            return [Value(f"F.{name}({value.text}, dim={-1 if place == len(value.order) - 1 else place})", value.order)]
        value = writer.named(value, node)
        text = f"{value.text} - {value.text}.logsumexp(dim={literal(value.places(axis))}, keepdim=True)"
        return [Value(f"({text})" if name == "log_softmax" else f"({text}).exp()", value.order)]

    return handler


def _reduction(template: str, between: str = "dim={dim}") -> Handler:
    """A reduction over several axes: `{x}`, `{dim}` and `{keep}`."""

    def handler(writer: Writer, node: Node) -> Sequence[Value]:
        config: Any = node.config
        value = writer.input(node)
        places = value.places(config["axis"])
        if not places:
            return [value]
        dim = between.format(dim=literal(places[0] if len(places) == 1 else places))
        keep = ", keepdim=True" if config["keepdims"] else ""
        return [Value(template.format(x=value.text, dim=dim, keep=keep), _left(value, config))]

    return handler


def _left(value: Value, config: Any) -> tuple[int, ...]:
    """The order of the axes after some were reduced away."""
    axes = config["axis"] if isinstance(config["axis"], tuple) else (config["axis"],)
    if config["keepdims"]:
        return value.order
    kept = [axis for axis in value.order if axis not in axes]
    return tuple(sorted(kept).index(axis) for axis in kept)


def _prod(writer: Writer, node: Node) -> Sequence[Value]:
    config: Any = node.config
    value = writer.input(node)
    text, keep = value.text, config["keepdims"]
    for place in reversed(value.places(config["axis"])):
        text = f"{text}.prod(dim={place}{', keepdim=True' if keep else ''})"
    return [Value(text, _left(value, config))]


def _arg(name: str) -> Handler:
    def handler(writer: Writer, node: Node) -> Sequence[Value]:
        config: Any = node.config
        value = writer.input(node)
        keep = ", keepdim=True" if config["keepdims"] else ""
        text = f"{value.text}.{name}(dim={value.place(config['axis'])}{keep}).int()"
        return [Value(text, _left(value, config))]

    return handler


def _unit_normalization(writer: Writer, node: Node) -> Sequence[Value]:
    config: Any = node.config
    value = writer.input(node)
    places = value.places(config["axis"])
    dim = literal(places[0] if len(places) == 1 else places)
    return [Value(f"F.normalize({value.text}, dim={dim}, eps=1e-6)", value.order)]


# --- products -------------------------------------------------------------------------------------------------------


def _einsum(writer: Writer, node: Node) -> Sequence[Value]:
    operands = [writer.plain(node, index).text for index in range(len(node.inputs))]
    text = f"torch.einsum({literal(node.config['equation'])}, {', '.join(operands)})"
    return [Value(text, plainly(node.outputs[0].rank))]


def _matmul(writer: Writer, node: Node) -> Sequence[Value]:
    first, second = (writer.plain(node, index).text for index in range(2))
    return [Value(f"{first} @ {second}", plainly(node.outputs[0].rank))]


def _dot(writer: Writer, node: Node) -> Sequence[Value]:
    config: Any = node.config
    texts, letters = [], []
    for index, axis in enumerate(config["axes"]):
        text = writer.plain(node, index).text
        texts.append(f"F.normalize({text}, dim={axis}, eps=1e-6)" if config["normalize"] else text)
        names = iter("ijkl" if index == 0 else "mnop")
        rank = writer.spec(node, index).rank
        letters.append("".join("b" if a == 0 else "z" if a == axis else next(names) for a in range(rank)))
    result = "b" + "".join(letter for letter in letters[0] + letters[1] if letter not in "bz")
    text = f'torch.einsum("{letters[0]},{letters[1]}->{result}", {texts[0]}, {texts[1]})'
    return [Value(f"{text}.unsqueeze(1)" if result == "b" else text, plainly(node.outputs[0].rank))]


_TORCH_METHODS = (
    *("abs", "sign", "square", "sqrt", "rsqrt", "exp", "expm1", "log", "log1p", "reciprocal", "sin", "cos", "tan"),
    *("floor", "ceil", "round", "erf"),
)


def _handlers() -> dict[str, Handler]:

    return {
        **{name: _each(f"{{x}}.{name}()") for name in _TORCH_METHODS},
        "negative": _each("-{x}"),
        "stop_gradient": _each("{x}.detach()"),
        "zeros_like": _each("torch.zeros_like({x})"),
        "ones_like": _each("torch.ones_like({x})"),
        "logical_not": _each("torch.logical_not({x})"),
        "relu": _relu,
        "leaky_relu": _each("F.leaky_relu({x}, {negative_slope})", "negative_slope"),
        "relu6": _each("F.relu6({x})"),
        "elu": _each("F.elu({x}, {alpha})", "alpha"),
        "celu": _each("F.celu({x}, {alpha})", "alpha"),
        "selu": _each("F.selu({x})"),
        "gelu": _gelu,
        "sigmoid": _each("torch.sigmoid({x})"),
        "tanh": _each("torch.tanh({x})"),
        "silu": _each("F.silu({x})"),
        "mish": _each("F.mish({x})"),
        "softplus": _each("F.softplus({x})"),
        "softsign": _each("F.softsign({x})"),
        "log_sigmoid": _each("F.logsigmoid({x})"),
        "hard_sigmoid": _each("F.hardsigmoid({x})"),
        "hard_silu": _each("F.hardswish({x})"),
        "hard_tanh": _each("F.hardtanh({x})"),
        "tanh_shrink": _each("F.tanhshrink({x})"),
        "hard_shrink": _each("F.hardshrink({x}, {threshold})", "threshold"),
        "soft_shrink": _each("F.softshrink({x}, {threshold})", "threshold"),
        "threshold": _each("F.threshold({x}, {threshold}, {default_value})", "threshold", "default_value"),
        "squareplus": _each("({x} + ({x}.square() + {b}).sqrt()) / 2", "b"),
        "sparse_sigmoid": _each("(({x} + 1) / 2).clamp(0.0, 1.0)"),
        "sparse_plus": _each("torch.where({x} < 1, ({x}.clamp(min=-1.0) + 1).square() / 4, {x})"),
        "softmax": _softmax("softmax"),
        "log_softmax": _softmax("log_softmax"),
        "glu": _along("F.glu({x}, dim={dim})"),
        "cumsum": _along("{x}.cumsum(dim={dim})"),
        "add": _between("+"),
        "subtract": _between("-"),
        "multiply": _between("*"),
        "divide": _divide,
        "power": _between("**"),
        "floor_divide": _between("//"),
        "mod": _between("%"),
        "equal": _between("=="),
        "not_equal": _between("!="),
        "greater": _between(">"),
        "greater_equal": _between(">="),
        "less": _between("<"),
        "less_equal": _between("<="),
        "logical_and": _called("torch.logical_and"),
        "logical_or": _called("torch.logical_or"),
        "where": _called("torch.where"),
        "average": _average,
        "maximum": _pairwise("torch.maximum", "min"),
        "minimum": _pairwise("torch.minimum", "max"),
        "clip": _clip,
        "cast": _cast,
        "rescaling": _rescaling,
        "mean": _reduction("{x}.mean({dim}{keep})"),
        "sum": _reduction("{x}.sum({dim}{keep})"),
        "max": _reduction("{x}.amax({dim}{keep})"),
        "min": _reduction("{x}.amin({dim}{keep})"),
        "var": _reduction("{x}.var({dim}, correction=0{keep})"),
        "std": _reduction("{x}.std({dim}, correction=0{keep})"),
        "prod": _prod,
        "argmax": _arg("argmax"),
        "argmin": _arg("argmin"),
        "unit_normalization": _unit_normalization,
        "einsum": _einsum,
        "matmul": _matmul,
        "dot": _dot,
        **SHAPES,
    }


def _gelu(writer: Writer, node: Node) -> Sequence[Value]:
    value = writer.input(node)
    how = ', approximate="tanh"' if node.config["approximate"] else ""
    return [Value(f"F.gelu({value.text}{how})", value.order, value.rows)]


FUNCTIONS: dict[str, Callable[[Writer, Node], Sequence[Value]]] = _handlers()
