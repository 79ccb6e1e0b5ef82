"""PyTorch's activations, arithmetic and reductions, as a program has them, in the kinds of `foreign_graph.py`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..foreign_graph import Node, Ref
from .aten_arguments import Arguments, Translation, as_kind, refused


def _activation(name: str, **attributes: tuple[str, Any]) -> Translation:
    """An activation of one array; its own arguments by their names with the default."""

    def translate(given: Arguments) -> Iterator[Node]:
        found = {key: given(argument, default) for key, (argument, default) in attributes.items()}
        yield given.node("activation", given("self"), name=name, **found)

    return translate


# --- arithmetic -----------------------------------------------------------------------------------------------------


def _scaled(kind: str, *, reverse: bool = False) -> Translation:
    """A sum or difference whose second part may be scaled."""

    def translate(given: Arguments) -> Iterator[Node]:
        one, other, alpha = given("self"), given("other"), given("alpha", 1)
        if alpha != 1:
            scaled = f"{given.outputs[0]}_scaled"
            yield Node("multiply", (other, alpha), (scaled,), {}, given.operator)
            other = Ref(scaled)
        yield given.node(kind, *((other, one) if reverse else (one, other)))

    return translate


def _binary(kind: str) -> Translation:
    return as_kind(kind, "self", "other")


def _div(given: Arguments) -> Iterator[Node]:
    mode = given("rounding_mode")
    if mode not in (None, "floor"):
        raise refused(given, f"rounding {mode!r}")
    yield given.node("floor_divide" if mode else "divide", given("self"), given("other"))


def _clamp(given: Arguments) -> Iterator[Node]:
    low = given("min", given("min_val"))
    yield given.node("activation", given("self"), name="clip", low=low, high=given("max", given("max_val")))


def _hardtanh(given: Arguments) -> Iterator[Node]:
    yield given.node("activation", given("self"), name="clip", low=given("min_val", -1.0), high=given("max_val", 1.0))


def _masked_fill(given: Arguments) -> Iterator[Node]:
    yield given.node("where", given("mask"), given("value"), given("self"))


def _softplus(given: Arguments) -> Iterator[Node]:
    if given("beta", 1) != 1 or given("threshold", 20) != 20:
        raise refused(given, "beta or threshold other than usual")
    yield given.node("activation", given("self"), name="softplus")


def _reduction(kind: str, dim: Any = None) -> Translation:
    def translate(given: Arguments) -> Iterator[Node]:
        axes = given("dim", dim)
        axes = axes if isinstance(axes, tuple) or axes is None else (axes,)
        keep = bool(given("keepdim", False))
        if kind in ("var", "std") and (given("correction", 1) not in (0, 0.0) or given("unbiased", False)):
            raise refused(given, "a variance that is not divided by the number of values")
        yield Node(kind, (given("self"),), given.outputs[:1], {"axes": axes or None, "keepdims": keep}, given.operator)

    return translate


def _einsum(given: Arguments) -> Iterator[Node]:
    yield given.node("einsum", *given("tensors"), equation=given("equation").replace(" ", ""))


ACTIVATIONS: dict[str, Translation] = {
    **{
        f"{name}.default": _activation(keras)
        for name, keras in {
            **{name: name for name in ("relu", "relu6", "sigmoid", "tanh", "silu", "mish", "selu", "log_sigmoid")},
            "hardsigmoid": "hard_sigmoid",
            "hardswish": "hard_silu",
            "softsign": "softsign",
        }.items()
    },
    "leaky_relu.default": _activation("leaky_relu", negative_slope=("negative_slope", 0.01)),
    "elu.default": _activation("elu", alpha=("alpha", 1.0)),
    "celu.default": _activation("celu", alpha=("alpha", 1.0)),
    "gelu.default": _activation("gelu", approximate=("approximate", "none")),
    "softmax.int": _activation("softmax", axis=("dim", -1)),
    "_softmax.default": _activation("softmax", axis=("dim", -1)),
    "log_softmax.int": _activation("log_softmax", axis=("dim", -1)),
    "_log_softmax.default": _activation("log_softmax", axis=("dim", -1)),
    "glu.default": _activation("glu", axis=("dim", -1)),
    "softplus.default": _softplus,
    "hardtanh.default": _hardtanh,
    "clamp.default": _clamp,
    "clamp_min.default": _clamp,
    "clamp_max.default": _clamp,
    "prelu.default": as_kind("prelu", "self", "weight"),
}

ARITHMETIC: dict[str, Translation] = {
    "add.Tensor": _scaled("add"),
    "sub.Tensor": _scaled("subtract"),
    "rsub.Scalar": _scaled("subtract", reverse=True),
    "mul.Tensor": _binary("multiply"),
    "div.Tensor": _div,
    "div.Tensor_mode": _div,
    "matmul.default": _binary("matmul"),
    "bmm.default": as_kind("matmul", "self", "mat2"),
    "mm.default": as_kind("matmul", "self", "mat2"),
    "einsum.default": _einsum,
    "maximum.default": _binary("maximum"),
    "minimum.default": _binary("minimum"),
    "pow.Tensor_Scalar": as_kind("power", "self", "exponent"),
    "pow.Tensor_Tensor": as_kind("power", "self", "exponent"),
    "where.self": as_kind("where", "condition", "self", "other"),
    "masked_fill.Scalar": _masked_fill,
    **{
        f"{name}.{overload}": _binary(kind)
        for name, kind in {
            "eq": "equal",
            "ne": "not_equal",
            "gt": "greater",
            "ge": "greater_equal",
            "lt": "less",
            "le": "less_equal",
        }.items()
        for overload in ("Tensor", "Scalar")
    },
    **{
        f"{name}.default": as_kind(kind, "self")
        for name, kind in {
            **{name: name for name in ("abs", "sqrt", "rsqrt", "exp", "expm1", "log", "log1p", "sin", "cos", "tan")},
            "erf": "erf",
            "floor": "floor",
            "ceil": "ceil",
            "round": "round",
            "reciprocal": "reciprocal",
            "neg": "negative",
            "sign": "sign",
            "square": "square",
            "logical_not": "logical_not",
        }.items()
    },
    "logical_and.default": _binary("logical_and"),
    "logical_or.default": _binary("logical_or"),
    **{f"mean.{overload}": _reduction("mean") for overload in ("dim", "default")},
    **{f"sum.{overload}": _reduction("sum") for overload in ("dim_IntList", "default")},
    "amax.default": _reduction("max"),
    "amin.default": _reduction("min"),
    "max.dim": _reduction("max"),
    "min.dim": _reduction("min"),
    "var.correction": _reduction("var"),
    "argmax.default": _reduction("argmax"),
    "argmin.default": _reduction("argmin"),
    "cumsum.default": as_kind("cumsum", "self", axis=("dim", 0)),
}
