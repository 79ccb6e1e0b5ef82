"""Translations of PyTorch's activations, arithmetic and reductions into the kinds of `foreign_graph.py`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from ..foreign_graph import ForeignNode, Ref
from .aten_arguments import Arguments, Translation, as_kind, unsupported


def _activation(name: str, **attributes: tuple[str, Any]) -> Translation:
    """Translate an activation: for each attribute, (the name in torch, the default)."""

    def translate(arguments: Arguments) -> Iterator[ForeignNode]:
        settings = {key: arguments(argument, default) for key, (argument, default) in attributes.items()}
        yield arguments.node("activation", arguments("self"), name=name, **settings)

    return translate


# --- arithmetic -----------------------------------------------------------------------------------------------------


def _scaled(kind: str, *, reverse: bool = False) -> Translation:
    """Translate a sum or difference whose second operand may be scaled by alpha."""

    def translate(arguments: Arguments) -> Iterator[ForeignNode]:
        one, other, alpha = arguments("self"), arguments("other"), arguments("alpha", 1)
        if alpha != 1:
            scaled = f"{arguments.outputs[0]}_scaled"
            yield ForeignNode("multiply", (other, alpha), (scaled,), {}, arguments.operator)
            other = Ref(scaled)
        yield arguments.node(kind, *((other, one) if reverse else (one, other)))

    return translate


def _binary(kind: str) -> Translation:
    return as_kind(kind, "self", "other")


def _div(arguments: Arguments) -> Iterator[ForeignNode]:
    mode = arguments("rounding_mode")
    if mode not in (None, "floor"):
        raise unsupported(arguments, f"rounding {mode!r}")
    yield arguments.node("floor_divide" if mode else "divide", arguments("self"), arguments("other"))


def _clamp(arguments: Arguments) -> Iterator[ForeignNode]:
    low = arguments("min", arguments("min_val"))
    yield arguments.node(
        "activation", arguments("self"), name="clip", low=low, high=arguments("max", arguments("max_val"))
    )


def _hardtanh(arguments: Arguments) -> Iterator[ForeignNode]:
    yield arguments.node(
        "activation", arguments("self"), name="clip", low=arguments("min_val", -1.0), high=arguments("max_val", 1.0)
    )


def _masked_fill(arguments: Arguments) -> Iterator[ForeignNode]:
    yield arguments.node("where", arguments("mask"), arguments("value"), arguments("self"))


def _softplus(arguments: Arguments) -> Iterator[ForeignNode]:
    if arguments("beta", 1) != 1 or arguments("threshold", 20) != 20:
        raise unsupported(arguments, "its beta or threshold is not the default")
    yield arguments.node("activation", arguments("self"), name="softplus")


def _reduction(kind: str, dim: Any = None) -> Translation:
    def translate(arguments: Arguments) -> Iterator[ForeignNode]:
        axes = arguments("dim", dim)
        axes = axes if isinstance(axes, tuple) or axes is None else (axes,)
        attributes: dict[str, Any] = {"axes": axes or None, "keepdims": bool(arguments("keepdim", False))}
        if kind in ("var", "std"):
            correction = arguments("correction", int(arguments("unbiased", True)))
            attributes["correction"] = 1 if correction is None else correction
        yield ForeignNode(kind, (arguments("self"),), arguments.outputs[:1], attributes, arguments.operator)

    return translate


def _vector_norm(arguments: Arguments) -> Iterator[ForeignNode]:
    """Translate the root of the sum of squares."""
    if arguments("ord", arguments("p", 2)) != 2:
        raise unsupported(arguments, "only the Euclidean norm (ord=2) is covered")
    squares, total = (f"{arguments.outputs[0]}_{part}" for part in ("squares", "sum"))
    yield ForeignNode("square", (arguments("self"),), (squares,), {}, arguments.operator)
    summed = replace(arguments, values={**arguments.values, "self": Ref(squares)}, outputs=(total,))
    yield from _reduction("sum")(summed)
    yield arguments.node("sqrt", Ref(total))


def _add_scaled(kind: str) -> Translation:
    """Translate a sum of an array and a scaled product or quotient of two others."""

    def translate(arguments: Arguments) -> Iterator[ForeignNode]:
        name, value = f"{arguments.outputs[0]}_part", arguments("value", 1)
        yield ForeignNode(kind, (arguments("tensor1"), arguments("tensor2")), (name,), {}, arguments.operator)
        if value != 1:
            yield ForeignNode("multiply", (Ref(name), value), (f"{name}_scaled",), {}, arguments.operator)
            name = f"{name}_scaled"
        yield arguments.node("add", arguments("self"), Ref(name))

    return translate


def _extreme(name: str) -> Translation:
    """Translate the largest or smallest values along an axis, and where they are."""

    def translate(arguments: Arguments) -> Iterator[ForeignNode]:
        yield from _reduction(name)(arguments)
        if len(arguments.outputs) > 1:
            yield from _reduction(f"arg{name}")(replace(arguments, outputs=arguments.outputs[1:]))

    return translate


def _einsum(arguments: Arguments) -> Iterator[ForeignNode]:
    yield arguments.node("einsum", *arguments("tensors"), equation=arguments("equation").replace(" ", ""))


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
    "clip.default": _clamp,
    "prelu.default": as_kind("prelu", "self", "weight"),
}

_BITS = {"__and__": "bitwise_and", "bitwise_and": "bitwise_and", "__or__": "bitwise_or", "bitwise_or": "bitwise_or"}
_SPREADS = ("correction", "default", "dim")
_WHERE = ("self", "ScalarOther", "ScalarSelf", "Scalar")

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
    **{f"where.{overload}": as_kind("where", "condition", "self", "other") for overload in _WHERE},
    "addcmul.default": _add_scaled("multiply"),
    "addcdiv.default": _add_scaled("divide"),
    "linalg_vector_norm.default": _vector_norm,
    "norm.ScalarOpt_dim": _vector_norm,
    **{f"remainder.{overload}": _binary("mod") for overload in ("Tensor", "Scalar")},
    **{f"floor_divide.{overload}": _binary("floor_divide") for overload in ("default", "Scalar")},
    "max.other": _binary("maximum"),
    "min.other": _binary("minimum"),
    "masked_fill.Tensor": _masked_fill,
    "pow.Scalar": as_kind("power", "self", "exponent"),
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
            "isnan": "isnan",
        }.items()
    },
    "logical_and.default": _binary("logical_and"),
    "logical_or.default": _binary("logical_or"),
    **{f"{name}.Tensor": _binary(kind) for name, kind in _BITS.items()},
    **{f"mean.{overload}": _reduction("mean") for overload in ("dim", "default")},
    **{f"sum.{overload}": _reduction("sum") for overload in ("dim_IntList", "default")},
    "amax.default": _reduction("max"),
    "amin.default": _reduction("min"),
    "max.dim": _extreme("max"),
    "min.dim": _extreme("min"),
    "max.default": _reduction("max"),
    "min.default": _reduction("min"),
    **{f"{kind}.{overload}": _reduction(kind) for kind in ("var", "std") for overload in _SPREADS},
    **{f"prod.{overload}": _reduction("prod") for overload in ("default", "dim_int")},
    **{f"{kind}.{overload}": _reduction(kind) for kind in ("any", "all") for overload in ("default", "dim", "dims")},
    "logsumexp.default": _reduction("logsumexp"),
    "argmax.default": _reduction("argmax"),
    "argmin.default": _reduction("argmin"),
    "cumsum.default": as_kind("cumsum", "self", axis=("dim", 0)),
}
