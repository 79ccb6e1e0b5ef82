"""Translations of ONNX's operators into the kinds of `foreign_graph.py`.

Some attributes of older operator sets are inputs in newer ones; both are read.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from ..foreign_graph import ForeignNode, Operand, Ref
from .call import OnnxCall
from .quantized import QUANTIZED
from .recurrent import RECURRENT
from .selection import SELECTION
from .shapes import SHAPES
from .translation import Translation, as_kind, unsupported


def _one_to_one(kind: str, count: int | None = None) -> Translation:
    """Translate an operator into one kind, with its first inputs."""

    def translate(call: OnnxCall) -> Iterator[ForeignNode]:
        yield call.node(kind, *call.inputs[:count])

    return translate


def _activation(name: str, **attributes: tuple[str, Any]) -> Translation:
    def translate(call: OnnxCall) -> Iterator[ForeignNode]:
        settings = {key: call.get(argument, default) for key, (argument, default) in attributes.items()}
        yield call.node("activation", call[0], name=name, **settings)

    return translate


# --- layers ---------------------------------------------------------------------------------------------------------


def _rank(call: OnnxCall, place: int = 1) -> int:
    """Return the number of axes of a convolution's window."""
    weight = call.constant(call[place])
    if weight is None:
        raise unsupported(call, "a weight that is computed")
    return weight.ndim - 2


def _padding(call: OnnxCall, rank: int) -> Any:
    auto = call.get("auto_pad", "NOTSET")
    if auto in ("SAME_UPPER", "SAME_LOWER"):
        return auto.lower()
    pads = call.get("pads", (0,) * 2 * rank) if auto == "NOTSET" else (0,) * 2 * rank
    return tuple(zip(pads[:rank], pads[rank:], strict=True))


def _window(call: OnnxCall, rank: int) -> dict[str, Any]:
    return {
        "strides": call.get("strides", (1,) * rank),
        "padding": _padding(call, rank),
        "dilation": call.get("dilations", (1,) * rank),
    }


def _conv(call: OnnxCall) -> Iterator[ForeignNode]:
    yield call.node("conv", call[0], call[1], call[2], **_window(call, _rank(call)), groups=call.get("group", 1))


def _conv_transpose(call: OnnxCall) -> Iterator[ForeignNode]:
    rank = _rank(call)
    if call.get("output_shape") or call.get("auto_pad", "NOTSET") not in ("NOTSET", "VALID"):
        raise unsupported(call, "an explicit output shape")
    more = call.get("output_padding", (0,) * rank)
    options = {**_window(call, rank), "groups": call.get("group", 1), "output_padding": more}
    yield call.node("conv_transpose", call[0], call[1], call[2], **options)


def _gemm(call: OnnxCall) -> Iterator[ForeignNode]:
    if call.get("alpha", 1.0) != 1 or call.get("beta", 1.0) != 1 or call.get("transA", 0):
        raise unsupported(call, "a scaled or transposed product")
    weight, bias = call.constant(call[1]), call.constant(call[2])
    if weight is None or (
        call[2] is not None and (bias is None or bias.size != weight.shape[not call.get("transB", 0)])
    ):
        raise unsupported(call, "a weight that is computed, or a bias of another length")
    yield call.node("linear" if call.get("transB", 0) else "affine", *call.inputs[:2], call[2])


def _batch_norm(call: OnnxCall) -> Iterator[ForeignNode]:
    if call.get("training_mode", 0):
        raise unsupported(call, "it was exported in training mode: call module.eval() first")
    share = 1 - call.get("momentum", 0.9)
    yield call.node("batch_norm", *call.inputs[:5], epsilon=call.get("epsilon", 1e-5), momentum=share)


def _layer_norm(call: OnnxCall) -> Iterator[ForeignNode]:
    scale = call.constant(call[1])
    if scale is None:
        raise unsupported(call, "a scale that is computed")
    yield call.node("layer_norm", call[0], call[1], call[2], rank=scale.ndim, epsilon=call.get("epsilon", 1e-5))


def _rms_norm(call: OnnxCall) -> Iterator[ForeignNode]:
    yield call.node("rms_norm", call[0], call[1], rank=1, epsilon=call.get("epsilon", 1e-5))


def _group_norm(call: OnnxCall) -> Iterator[ForeignNode]:
    if call.version < 21:
        raise unsupported(call, "operator sets before 21 scale groups, not channels")
    yield call.node("group_norm", *call.inputs[:3], groups=call.get("num_groups"), epsilon=call.get("epsilon", 1e-5))


def _instance_norm(call: OnnxCall) -> Iterator[ForeignNode]:
    yield call.node("group_norm", *call.inputs[:3], groups=None, epsilon=call.get("epsilon", 1e-5))


def _dropout(call: OnnxCall) -> Iterator[ForeignNode]:
    """Translate a dropout; it is the identity in inference, and its rate may be missing in the file."""
    rate = call.constant(call[1])
    yield call.node("dropout", call[0], rate=call.get("ratio", 0.5) if rate is None else float(rate.ravel()[0]))


# --- pooling and enlarging ------------------------------------------------------------------------------------------


def _pool(kind: str) -> Translation:
    def translate(call: OnnxCall) -> Iterator[ForeignNode]:
        window = call.get("kernel_shape")
        options = {**_window(call, len(window)), "window": window, "ceil": bool(call.get("ceil_mode", 0))}
        yield call.node(kind, call[0], **options, count_padding=bool(call.get("count_include_pad", 0)))

    return translate


def _global_pool(kind: str) -> Translation:
    def translate(call: OnnxCall) -> Iterator[ForeignNode]:
        yield call.node("global_pool", call[0], reduces=kind)

    return translate


def _resize(call: OnnxCall) -> Iterator[ForeignNode]:
    mode, place = call.get("mode", "nearest"), call.get("coordinate_transformation_mode", "half_pixel")
    if mode == "nearest":
        rounding = call.get("nearest_mode", "round_prefer_floor")
        fits = (place, rounding) == ("asymmetric", "floor") or (place == "half_pixel" and rounding.startswith("round"))
    else:
        fits = mode == "linear" and place in ("half_pixel", "pytorch_half_pixel") and not call.get("antialias", 0)
    if not fits:
        raise unsupported(call, f"{mode} by {place} has no counterpart in Keras")
    size, factors = call[3], call[2]
    # An omitted input may also be an empty array.
    known = call.constant(factors)
    factors = None if known is not None and known.size == 0 else factors
    yield call.node("upsample", call[0], size=size, factors=factors, mode="bilinear" if mode == "linear" else "nearest")


# --- arithmetic -----------------------------------------------------------------------------------------------------


def _chain(kind: str) -> Translation:
    """Translate an operator with any number of inputs into a chain of nodes with two inputs."""

    def translate(call: OnnxCall) -> Iterator[ForeignNode]:
        if len(call.inputs) == 1:
            yield call.node("same", call[0])
        before: Operand = call[0]
        for place in range(1, len(call.inputs)):
            last = place == len(call.inputs) - 1
            name = call.outputs[0] if last else f"{call.outputs[0]}_{place}"
            yield ForeignNode(kind, (before, call[place]), (name,), {}, call.operator)
            before = Ref(name)

    return translate


def _clip(call: OnnxCall) -> Iterator[ForeignNode]:
    yield call.node(
        "activation",
        call[0],
        name="clip",
        low=call.attribute_or_input("min", 1),
        high=call.attribute_or_input("max", 2),
    )


def _hard_sigmoid(call: OnnxCall) -> Iterator[ForeignNode]:
    if abs(call.get("alpha", 0.2) - 1 / 6) > 1e-6 or call.get("beta", 0.5) != 0.5:
        raise unsupported(call, "its slope is not 1/6, as in Keras")
    yield call.node("activation", call[0], name="hard_sigmoid")


def _softmax(name: str) -> Translation:
    def translate(call: OnnxCall) -> Iterator[ForeignNode]:
        yield call.node("activation", call[0], name=name, axis=call.get("axis", -1 if call.version >= 13 else 1))

    return translate


def _reduction(kind: str) -> Translation:
    def translate(call: OnnxCall) -> Iterator[ForeignNode]:
        axes = call.attribute_or_input("axes", 1)
        if axes is None and call.get("noop_with_empty_axes", 0):
            yield call.node("same", call[0])
            return
        yield call.node(kind, call[0], axes=axes, keepdims=bool(call.get("keepdims", 1)))

    return translate


def _arg_reduction(kind: str) -> Translation:
    def translate(call: OnnxCall) -> Iterator[ForeignNode]:
        if call.get("select_last_index", 0):
            raise unsupported(call, "it selects the last index among equal values")
        yield call.node(kind, call[0], axes=(call.get("axis", 0),), keepdims=bool(call.get("keepdims", 1)))

    return translate


def _mod(call: OnnxCall) -> Iterator[ForeignNode]:
    if call.get("fmod", 0):
        raise unsupported(call, "a remainder with the sign of the dividend (fmod)")
    yield call.node("mod", call[0], call[1])


def _gelu(call: OnnxCall) -> Iterator[ForeignNode]:
    yield call.node("activation", call[0], name="gelu", approximate=call.get("approximate", "none"))


def _cast(call: OnnxCall) -> Iterator[ForeignNode]:
    import onnx

    dtype = np.dtype(onnx.helper.tensor_dtype_to_np_dtype(call.get("to"))).name
    yield call.node("cast", call[0], dtype="float32" if dtype == "float64" else dtype)


OPERATORS: dict[str, Translation] = {
    **RECURRENT,
    **SHAPES,
    **SELECTION,
    **QUANTIZED,
    "Conv": _conv,
    "ConvTranspose": _conv_transpose,
    "Gemm": _gemm,
    "MatMul": _one_to_one("matmul"),
    "BatchNormalization": _batch_norm,
    "LayerNormalization": _layer_norm,
    "RMSNormalization": _rms_norm,
    "GroupNormalization": _group_norm,
    "InstanceNormalization": _instance_norm,
    "Dropout": _dropout,
    "MaxPool": _pool("max_pool"),
    "AveragePool": _pool("average_pool"),
    "GlobalAveragePool": _global_pool("average"),
    "GlobalMaxPool": _global_pool("max"),
    "Resize": _resize,
    **{
        operator: _activation(name)
        for operator, name in {
            "Relu": "relu",
            "Sigmoid": "sigmoid",
            "Tanh": "tanh",
            "Selu": "selu",
            "Softplus": "softplus",
            "Softsign": "softsign",
            "Mish": "mish",
            "HardSwish": "hard_silu",
            "Swish": "silu",
        }.items()
    },
    "LeakyRelu": _activation("leaky_relu", negative_slope=("alpha", 0.01)),
    "Elu": _activation("elu", alpha=("alpha", 1.0)),
    "Celu": _activation("celu", alpha=("alpha", 1.0)),
    "Gelu": _gelu,
    "HardSigmoid": _hard_sigmoid,
    "Softmax": _softmax("softmax"),
    "LogSoftmax": _softmax("log_softmax"),
    "PRelu": _one_to_one("prelu"),
    "Clip": _clip,
    **{
        operator: _chain(kind)
        for operator, kind in {"Add": "add", "Sum": "add", "Max": "maximum", "Min": "minimum"}.items()
    },
    **{
        operator: _one_to_one(kind)
        for operator, kind in {
            "Sub": "subtract",
            "Mul": "multiply",
            "Div": "divide",
            "Pow": "power",
            "Where": "where",
            "Equal": "equal",
            "Greater": "greater",
            "GreaterOrEqual": "greater_equal",
            "Less": "less",
            "LessOrEqual": "less_equal",
            "And": "logical_and",
            "Or": "logical_or",
            "Not": "logical_not",
            "IsNaN": "isnan",
            "Abs": "abs",
            "Neg": "negative",
            "Sign": "sign",
            "Sqrt": "sqrt",
            "Exp": "exp",
            "Log": "log",
            "Reciprocal": "reciprocal",
            "Erf": "erf",
            "Floor": "floor",
            "Ceil": "ceil",
            "Round": "round",
            "Sin": "sin",
            "Cos": "cos",
            "Tan": "tan",
            **{name.capitalize(): name for name in ("sinh", "cosh")},
            **{f"A{name}": f"arc{name}" for name in ("sin", "cos", "tan", "sinh", "cosh", "tanh")},
            "Identity": "same",
        }.items()
    },
    "Mod": _mod,
    **{f"Reduce{name}": _reduction(name.lower()) for name in ("Mean", "Sum", "Max", "Min", "Prod")},
    "ArgMax": _arg_reduction("argmax"),
    "ArgMin": _arg_reduction("argmin"),
    "Einsum": as_kind("einsum", equation=("equation", "")),
    "Cast": _cast,
}
