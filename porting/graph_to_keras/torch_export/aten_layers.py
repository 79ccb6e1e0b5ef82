"""PyTorch's operators for layers, pooling and attention, as a program has them, in the kinds of `foreign_graph.py`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..foreign_graph import Node, Operand, Ref
from ..recurrent_form import recurrent
from .aten_arguments import Arguments, Translation, as_kind, refused


def _conv(rank: int) -> Translation:
    def translate(given: Arguments) -> Iterator[Node]:
        padding = given("padding")
        dilation, strides = given.sizes("dilation", rank, 1), given.sizes("stride", rank, 1)
        if padding in ("same", "valid"):
            pairs: Any = "same_upper" if padding == "same" else ((0, 0),) * rank
        else:
            pairs = tuple((width, width) for width in given.sizes("padding", rank, 0))
        inputs = (given("input"), given("weight"), given("bias"))
        yield given.node("conv", *inputs, strides=strides, padding=pairs, dilation=dilation, groups=given("groups", 1))

    return translate


def _conv_transpose(rank: int) -> Translation:
    def translate(given: Arguments) -> Iterator[Node]:
        yield given.node(
            "conv_transpose",
            *(given(name) for name in ("input", "weight", "bias")),
            strides=given.sizes("stride", rank, 1),
            padding=tuple((width, width) for width in given.sizes("padding", rank, 0)),
            dilation=given.sizes("dilation", rank, 1),
            output_padding=given.sizes("output_padding", rank, 0),
            groups=given("groups", 1),
        )

    return translate


def _convolution(given: Arguments) -> Iterator[Node]:
    """What convolutions are decomposed into."""
    rank = len(given("stride"))
    yield from (_conv_transpose(rank) if given("transposed") else _conv(rank))(given)


def _batch_norm(given: Arguments) -> Iterator[Node]:
    if given("training"):
        raise refused(given, "exported in training; call module.eval() before")
    inputs = (given(name) for name in ("input", "weight", "bias", "running_mean", "running_var"))
    momentum = given("momentum")
    yield given.node("batch_norm", *inputs, epsilon=given("eps", 1e-5), momentum=0.1 if momentum is None else momentum)


def _layer_norm(given: Arguments) -> Iterator[Node]:
    inputs = given("input"), given("weight"), given("bias")
    yield given.node("layer_norm", *inputs, rank=len(given("normalized_shape")), epsilon=given("eps", 1e-5))


def _rms_norm(given: Arguments) -> Iterator[Node]:
    epsilon = given("eps")  # by default that of the dtype
    rank = len(given("normalized_shape"))
    yield given.node(
        "rms_norm", given("input"), given("weight"), rank=rank, epsilon=1.1920929e-07 if epsilon is None else epsilon
    )


def _instance_norm(given: Arguments) -> Iterator[Node]:
    if not given("use_input_stats", True):
        raise refused(given, "running statistics of instances have no counterpart in Keras")
    yield given.node(
        "group_norm", given("input"), given("weight"), given("bias"), groups=None, epsilon=given("eps", 1e-5)
    )


def _dropout(given: Arguments) -> Iterator[Node]:
    if given("train"):
        raise refused(given, "exported in training; call module.eval() before")
    yield given.node("dropout", given("input"), rate=given("p", 0.5))


def _lstm(given: Arguments) -> Iterator[Node]:
    yield _recurrent(given, "lstm", given("hx"))


def _single_state(kind: str) -> Translation:
    def translate(given: Arguments) -> Iterator[Node]:
        yield _recurrent(given, kind, (given("hx"),))

    return translate


def _recurrent(given: Arguments, kind: str, states: tuple[Operand, ...]) -> Node:
    if given("train"):
        raise refused(given, "exported in training; call module.eval() before")
    return given.node(
        "recurrent",
        given("input"),
        *states,
        **recurrent(
            kind,
            given("params"),
            layers=given("num_layers"),
            bidirectional=given("bidirectional"),
            batch_first=given("batch_first"),
            bias=given("has_biases"),
            dropout=given("dropout"),
        ),
    )


def _addmm(given: Arguments) -> Iterator[Node]:
    if given("alpha", 1) != 1 or given("beta", 1) != 1:
        raise refused(given, "a scaled sum")
    product = f"{given.outputs[0]}_product"
    yield Node("matmul", (given("mat1"), given("mat2")), (product,), {}, given.operator)
    yield given.node("add", Ref(product), given("self"))


# --- pooling and resizing -------------------------------------------------------------------------------------------


def _pool(kind: str, rank: int) -> Translation:
    def translate(given: Arguments) -> Iterator[Node]:
        window = given.sizes("kernel_size", rank)
        divisor = given("divisor_override")
        if divisor is not None:
            raise refused(given, "a divisor of its own")
        yield Node(
            kind,
            (given("self"),),
            given.outputs[:1],
            {
                "window": window,
                "strides": given.sizes("stride", rank) if given("stride") else window,
                "padding": tuple((width, width) for width in given.sizes("padding", rank, 0)),
                "dilation": given.sizes("dilation", rank, 1),
                "ceil": bool(given("ceil_mode", False)),
                "count_padding": bool(given("count_include_pad", True)),
            },
            given.operator,
        )

    return translate


def _adaptive(kind: str, rank: int) -> Translation:
    def translate(given: Arguments) -> Iterator[Node]:
        size = given.sizes("output_size", rank)
        yield Node(
            "adaptive_pool", (given("self"),), given.outputs[:1], {"size": size, "reduces": kind}, given.operator
        )

    return translate


def _upsample(mode: str) -> Translation:
    def translate(given: Arguments) -> Iterator[Node]:
        if given("align_corners"):
            raise refused(given, "align_corners has no counterpart in Keras")
        factors = given("scale_factors")
        if factors is None:
            named = tuple(given(f"scales{axis}") for axis in ("_d", "_h", "_w", ""))
            factors = tuple(each for each in named if each is not None) or None
        x = given("input") if "input" in given.values else given("self")
        yield given.node("upsample", x, size=given("output_size"), factors=factors, mode=mode)

    return translate


def _attention(given: Arguments) -> Iterator[Node]:
    if given("dropout_p", 0.0):
        raise refused(given, "dropout within; call module.eval() before")
    if given("enable_gqa"):
        raise refused(given, "grouped queries")
    inputs = (given(name) for name in ("query", "key", "value", "attn_mask"))
    yield given.node("attention", *inputs, causal=bool(given("is_causal", False)), scale=given("scale"))


LAYERS: dict[str, Translation] = {
    "linear.default": as_kind("linear", "input", "weight", "bias"),
    **{f"conv{rank}d.{overload}": _conv(rank) for rank in (1, 2, 3) for overload in ("default", "padding")},
    "conv_transpose1d.default": _conv_transpose(1),
    "conv_transpose2d.input": _conv_transpose(2),
    "conv_transpose3d.input": _conv_transpose(3),
    "convolution.default": _convolution,
    "batch_norm.default": _batch_norm,
    "_native_batch_norm_legit_no_training.default": _batch_norm,
    "layer_norm.default": _layer_norm,
    "native_layer_norm.default": _layer_norm,
    "rms_norm.default": _rms_norm,
    "group_norm.default": as_kind(
        "group_norm", "input", "weight", "bias", groups=("num_groups", 1), epsilon=("eps", 1e-5)
    ),
    "instance_norm.default": _instance_norm,
    "embedding.default": as_kind("embedding", "weight", "indices"),
    "dropout.default": _dropout,
    "feature_dropout.default": _dropout,
    "alpha_dropout.default": _dropout,
    "lstm.input": _lstm,
    "gru.input": _single_state("gru"),
    "rnn_tanh.input": _single_state("rnn_tanh"),
    "rnn_relu.input": _single_state("rnn_relu"),
    "addmm.default": _addmm,
    "scaled_dot_product_attention.default": _attention,
    **{f"max_pool{rank}d.default": _pool("max_pool", rank) for rank in (1, 2, 3)},
    "max_pool2d_with_indices.default": _pool("max_pool", 2),
    **{f"avg_pool{rank}d.default": _pool("average_pool", rank) for rank in (1, 2, 3)},
    **{f"adaptive_avg_pool{rank}d.default": _adaptive("average", rank) for rank in (1, 2, 3)},
    **{f"adaptive_max_pool{rank}d.default": _adaptive("max", rank) for rank in (1, 2, 3)},
    **{f"upsample_nearest{rank}d.vec": _upsample("nearest") for rank in (1, 2, 3)},
    **{f"upsample_nearest{rank}d.default": _upsample("nearest") for rank in (1, 2, 3)},
    **{f"upsample_bilinear2d.{overload}": _upsample("bilinear") for overload in ("vec", "default")},
}
