"""Handlers of kinds without weights: activations, arithmetic, reductions. Shapes are in `shapes.py`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ....graph.graph import ArrayReference, GraphNode
from ....graph.writing.layout import literal
from .layers import TorchHandler
from .shapes import HANDLERS as SHAPES
from .values import Value, graph_order
from .writer import TorchWriter

# --- elementwise ----------------------------------------------------------------------------------------------------


def _elementwise(template: str, *settings: str) -> TorchHandler:
    """Return a handler that fills in an elementwise template: `{x}` is the array, other names are configuration."""

    def handler(writer: TorchWriter, node: GraphNode) -> Sequence[Value]:
        value = writer.input(node)
        if template.count("{x}") > 1 or not template.endswith(")"):
            value = writer.as_variable(value, node)
        settings_text = {name: literal(node.config[name]) for name in settings}
        return [Value(template.format(x=value.text, **settings_text), value.order, value.rows)]

    return handler


def _relu(writer: TorchWriter, node: GraphNode) -> Sequence[Value]:
    config: Any = node.config
    slope, top, threshold = config["negative_slope"], config["max_value"], config["threshold"]
    value = writer.input(node)
    if threshold == 0 and slope == 0:
        text = {None: "F.relu({x})", 6.0: "F.relu6({x})"}.get(top, f"{{x}}.clamp(0.0, {top!r})").format(x=value.text)
    elif threshold == 0 and top is None:
        text = f"F.leaky_relu({value.text}, {slope!r})"
    else:
        value = writer.as_variable(value, node)
        x = value.text
        upper = x if top is None else f"{x}.clamp(max={top!r})"
        text = f"torch.where({x} > {threshold!r}, {upper}, {slope!r} * ({x} - {threshold!r}))"
    return [Value(text, value.order, value.rows)]


def _align_operands(writer: TorchWriter, node: GraphNode) -> tuple[list[str], tuple[int, ...]]:
    """Return the operands as text, with all arrays in one axis order, and that order."""
    arrays = [operand for operand in node.inputs if isinstance(operand, ArrayReference)]
    rank = node.outputs[0].rank
    values = [writer.operand(operand) for operand in arrays]
    orders = [value.order for value in values if isinstance(value, Value)]
    same_rank = all(len(order) == rank for order in orders)
    order = (
        next((order for order in orders if order != graph_order(rank)), graph_order(rank))
        if same_rank
        else graph_order(rank)
    )
    texts = []
    for operand in node.inputs:
        value = writer.operand(operand)
        if isinstance(value, Value):
            value = value.permuted(order if same_rank else graph_order(len(value.order)))
        texts.append(value.text if isinstance(value, Value) else value)
    return texts, order


def _infix(sign: str) -> TorchHandler:
    """Return a handler that joins operands by a sign."""

    def handler(writer: TorchWriter, node: GraphNode) -> Sequence[Value]:
        texts, order = _align_operands(writer, node)
        # A negative number needs parentheses after another sign.
        operands = [f"({text})" if text.startswith("-") else text for text in texts]
        return [Value(f" {sign} ".join(operands), order)]

    return handler


def _average(writer: TorchWriter, node: GraphNode) -> Sequence[Value]:
    texts, order = _align_operands(writer, node)
    return [Value(f"({' + '.join(texts)}) / {len(texts)}", order)]


def _pairwise(function: str, bound: str) -> TorchHandler:
    """Return a handler that nests calls such as `torch.maximum` for arrays, and clamps by numbers."""

    def handler(writer: TorchWriter, node: GraphNode) -> Sequence[Value]:
        texts, order = _align_operands(writer, node)
        arrays = [text for text, operand in zip(texts, node.inputs, strict=True) if isinstance(operand, ArrayReference)]
        numbers = [
            text for text, operand in zip(texts, node.inputs, strict=True) if not isinstance(operand, ArrayReference)
        ]
        text = arrays[0]
        for other in arrays[1:]:
            text = f"{function}({text}, {other})"
        for number in numbers:
            text = f"{text}.clamp({bound}={number})"
        return [Value(text, order)]

    return handler


def _function_call(function: str) -> TorchHandler:
    """Return a handler that calls a function of all operands."""

    def handler(writer: TorchWriter, node: GraphNode) -> Sequence[Value]:
        texts, order = _align_operands(writer, node)
        return [Value(f"{function}({', '.join(texts)})", order)]

    return handler


def _divide(writer: TorchWriter, node: GraphNode) -> Sequence[Value]:
    return _infix("/")(writer, node)


def _clip(writer: TorchWriter, node: GraphNode) -> Sequence[Value]:
    value, config = writer.input(node), node.config
    return [Value(f"{value.text}.clamp({literal(config['minimum'])}, {literal(config['maximum'])})", value.order)]


def _cast(writer: TorchWriter, node: GraphNode) -> Sequence[Value]:
    value, dtype = writer.input(node), node.config["dtype"]
    method = "float()" if dtype == "float32" else f"to(torch.{dtype})"
    return [Value(f"{value.text}.{method}", value.order, value.rows)]


def _rescaling(writer: TorchWriter, node: GraphNode) -> Sequence[Value]:
    config: Any = node.config
    if any(isinstance(config[name], tuple) for name in ("scale", "offset")):
        value = writer.in_graph_order(node)
        texts = [
            f"{value.text}.new_tensor({literal(config[name])})"
            if isinstance(config[name], tuple)
            else literal(config[name])
            for name in ("scale", "offset")
        ]
        return [Value(f"{value.text} * {texts[0]} + {texts[1]}", value.order)]
    value = writer.input(node)
    scale, offset = config["scale"], config["offset"]
    text = f"{value.text} * {scale!r}"
    if offset:
        text += f" - {-offset!r}" if offset < 0 else f" + {offset!r}"
    return [Value(text, value.order, value.rows)]


# --- along axes -----------------------------------------------------------------------------------------------------


def _along_axis(template: str, *settings: str) -> TorchHandler:
    """Return a handler of a function along one axis, `{dim}`, that keeps the shape."""

    def handler(writer: TorchWriter, node: GraphNode) -> Sequence[Value]:
        config: Any = node.config
        value = writer.input(node)
        settings_text = {name: literal(config[name]) for name in settings}
        return [Value(template.format(x=value.text, dim=value.position(config["axis"]), **settings_text), value.order)]

    return handler


def _softmax(name: str) -> TorchHandler:
    def handler(writer: TorchWriter, node: GraphNode) -> Sequence[Value]:
        axis: Any = node.config["axis"]
        value = writer.input(node)
        if isinstance(axis, int):
            position = value.position(axis)
            return [
                Value(
                    f"F.{name}({value.text}, dim={-1 if position == len(value.order) - 1 else position})", value.order
                )
            ]
        value = writer.as_variable(value, node)
        text = f"{value.text} - {value.text}.logsumexp(dim={literal(value.positions(axis))}, keepdim=True)"
        return [Value(f"({text})" if name == "log_softmax" else f"({text}).exp()", value.order)]

    return handler


def _reduction(template: str, between: str = "dim={dim}") -> TorchHandler:
    """Return a handler of a reduction over several axes: `{x}`, `{dim}` and `{keep}`."""

    def handler(writer: TorchWriter, node: GraphNode) -> Sequence[Value]:
        config: Any = node.config
        value = writer.input(node)
        positions = value.positions(config["axis"])
        if not positions:
            return [value]
        dim = between.format(dim=literal(positions[0] if len(positions) == 1 else positions))
        keep = ", keepdim=True" if config["keepdims"] else ""
        return [Value(template.format(x=value.text, dim=dim, keep=keep), _remaining_order(value, config))]

    return handler


def _remaining_order(value: Value, config: Any) -> tuple[int, ...]:
    """Return the order of the axes after a reduction."""
    axes = config["axis"] if isinstance(config["axis"], tuple) else (config["axis"],)
    if config["keepdims"]:
        return value.order
    remaining = [axis for axis in value.order if axis not in axes]
    return tuple(sorted(remaining).index(axis) for axis in remaining)


def _over_each_axis(method: str) -> TorchHandler:
    """Return a handler of a reduction that PyTorch has for one axis at a time."""

    def handler(writer: TorchWriter, node: GraphNode) -> Sequence[Value]:
        config: Any = node.config
        value = writer.input(node)
        text, keep = value.text, config["keepdims"]
        for position in reversed(value.positions(config["axis"])):
            text = f"{text}.{method}(dim={position}{', keepdim=True' if keep else ''})"
        return [Value(text, _remaining_order(value, config))]

    return handler


def _arg(name: str) -> TorchHandler:
    def handler(writer: TorchWriter, node: GraphNode) -> Sequence[Value]:
        config: Any = node.config
        value = writer.input(node)
        keep = ", keepdim=True" if config["keepdims"] else ""
        text = f"{value.text}.{name}(dim={value.position(config['axis'])}{keep}).int()"
        return [Value(text, _remaining_order(value, config))]

    return handler


def _unit_normalization(writer: TorchWriter, node: GraphNode) -> Sequence[Value]:
    config: Any = node.config
    value = writer.input(node)
    positions = value.positions(config["axis"])
    dim = literal(positions[0] if len(positions) == 1 else positions)
    return [Value(f"F.normalize({value.text}, dim={dim}, eps=1e-6)", value.order)]


# --- products -------------------------------------------------------------------------------------------------------


def _einsum(writer: TorchWriter, node: GraphNode) -> Sequence[Value]:
    operands = [writer.in_graph_order(node, index).text for index in range(len(node.inputs))]
    text = f"torch.einsum({literal(node.config['equation'])}, {', '.join(operands)})"
    return [Value(text, graph_order(node.outputs[0].rank))]


def _matmul(writer: TorchWriter, node: GraphNode) -> Sequence[Value]:
    first, second = (writer.in_graph_order(node, index).text for index in range(2))
    return [Value(f"{first} @ {second}", graph_order(node.outputs[0].rank))]


def _dot(writer: TorchWriter, node: GraphNode) -> Sequence[Value]:
    config: Any = node.config
    texts, letters = [], []
    for index, axis in enumerate(config["axes"]):
        text = writer.in_graph_order(node, index).text
        texts.append(f"F.normalize({text}, dim={axis}, eps=1e-6)" if config["normalize"] else text)
        names = iter("ijkl" if index == 0 else "mnop")
        rank = writer.spec(node, index).rank
        letters.append("".join("b" if a == 0 else "z" if a == axis else next(names) for a in range(rank)))
    result = "b" + "".join(letter for letter in letters[0] + letters[1] if letter not in "bz")
    text = f'torch.einsum("{letters[0]},{letters[1]}->{result}", {texts[0]}, {texts[1]})'
    return [Value(f"{text}.unsqueeze(1)" if result == "b" else text, graph_order(node.outputs[0].rank))]


_TORCH_METHODS = (
    *("abs", "sign", "square", "sqrt", "rsqrt", "exp", "expm1", "log", "log1p", "reciprocal", "sin", "cos", "tan"),
    *("floor", "ceil", "round", "erf"),
)


def _handlers() -> dict[str, TorchHandler]:

    return {
        **{name: _elementwise(f"{{x}}.{name}()") for name in _TORCH_METHODS},
        "negative": _elementwise("-{x}"),
        "stop_gradient": _elementwise("{x}.detach()"),
        "zeros_like": _elementwise("torch.zeros_like({x})"),
        "ones_like": _elementwise("torch.ones_like({x})"),
        "logical_not": _elementwise("torch.logical_not({x})"),
        "isnan": _elementwise("torch.isnan({x})"),
        "relu": _relu,
        "leaky_relu": _elementwise("F.leaky_relu({x}, {negative_slope})", "negative_slope"),
        "relu6": _elementwise("F.relu6({x})"),
        "elu": _elementwise("F.elu({x}, {alpha})", "alpha"),
        "celu": _elementwise("F.celu({x}, {alpha})", "alpha"),
        "selu": _elementwise("F.selu({x})"),
        "gelu": _gelu,
        "sigmoid": _elementwise("torch.sigmoid({x})"),
        "tanh": _elementwise("torch.tanh({x})"),
        "silu": _elementwise("F.silu({x})"),
        "mish": _elementwise("F.mish({x})"),
        "softplus": _elementwise("F.softplus({x})"),
        "softsign": _elementwise("F.softsign({x})"),
        "log_sigmoid": _elementwise("F.logsigmoid({x})"),
        "hard_sigmoid": _elementwise("F.hardsigmoid({x})"),
        "hard_silu": _elementwise("F.hardswish({x})"),
        "hard_tanh": _elementwise("F.hardtanh({x})"),
        "tanh_shrink": _elementwise("F.tanhshrink({x})"),
        "hard_shrink": _elementwise("F.hardshrink({x}, {threshold})", "threshold"),
        "soft_shrink": _elementwise("F.softshrink({x}, {threshold})", "threshold"),
        "threshold": _elementwise("F.threshold({x}, {threshold}, {default_value})", "threshold", "default_value"),
        "squareplus": _elementwise("({x} + ({x}.square() + {b}).sqrt()) / 2", "b"),
        "sparse_sigmoid": _elementwise("(({x} + 1) / 2).clamp(0.0, 1.0)"),
        "sparse_plus": _elementwise("torch.where({x} < 1, ({x}.clamp(min=-1.0) + 1).square() / 4, {x})"),
        "softmax": _softmax("softmax"),
        "log_softmax": _softmax("log_softmax"),
        "glu": _along_axis("F.glu({x}, dim={dim})"),
        "cumsum": _along_axis("{x}.cumsum(dim={dim})"),
        "add": _infix("+"),
        "subtract": _infix("-"),
        "multiply": _infix("*"),
        "divide": _divide,
        "power": _infix("**"),
        "floor_divide": _infix("//"),
        "mod": _infix("%"),
        "equal": _infix("=="),
        "not_equal": _infix("!="),
        "greater": _infix(">"),
        "greater_equal": _infix(">="),
        "less": _infix("<"),
        "less_equal": _infix("<="),
        "logical_and": _function_call("torch.logical_and"),
        "logical_or": _function_call("torch.logical_or"),
        "where": _function_call("torch.where"),
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
        "any": _over_each_axis("any"),
        "all": _over_each_axis("all"),
        "prod": _over_each_axis("prod"),
        "argmax": _arg("argmax"),
        "argmin": _arg("argmin"),
        "unit_normalization": _unit_normalization,
        "einsum": _einsum,
        "matmul": _matmul,
        "dot": _dot,
        **SHAPES,
    }


def _gelu(writer: TorchWriter, node: GraphNode) -> Sequence[Value]:
    value = writer.input(node)
    approximation = ', approximate="tanh"' if node.config["approximate"] else ""
    return [Value(f"F.gelu({value.text}{approximation})", value.order, value.rows)]


FUNCTIONS: dict[str, Callable[[TorchWriter, GraphNode], Sequence[Value]]] = _handlers()
