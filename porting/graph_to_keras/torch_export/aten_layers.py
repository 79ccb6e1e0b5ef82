"""Translations of PyTorch's operators for layers, pooling and attention into the kinds of `foreign_graph.py`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..foreign_graph import ForeignNode, Operand, Ref
from ..recurrent_form import recurrent
from .aten_arguments import Arguments, Translation, as_kind, unsupported


def _conv(rank: int) -> Translation:
    def translate(arguments: Arguments) -> Iterator[ForeignNode]:
        padding = arguments("padding")
        dilation, strides = arguments.sizes("dilation", rank, 1), arguments.sizes("stride", rank, 1)
        if padding in ("same", "valid"):
            pairs: Any = "same_upper" if padding == "same" else ((0, 0),) * rank
        else:
            pairs = tuple((width, width) for width in arguments.sizes("padding", rank, 0))
        inputs = (arguments("input"), arguments("weight"), arguments("bias"))
        yield arguments.node(
            "conv", *inputs, strides=strides, padding=pairs, dilation=dilation, groups=arguments("groups", 1)
        )

    return translate


def _conv_transpose(rank: int) -> Translation:
    def translate(arguments: Arguments) -> Iterator[ForeignNode]:
        yield arguments.node(
            "conv_transpose",
            *(arguments(name) for name in ("input", "weight", "bias")),
            strides=arguments.sizes("stride", rank, 1),
            padding=tuple((width, width) for width in arguments.sizes("padding", rank, 0)),
            dilation=arguments.sizes("dilation", rank, 1),
            output_padding=arguments.sizes("output_padding", rank, 0),
            groups=arguments("groups", 1),
        )

    return translate


def _convolution(arguments: Arguments) -> Iterator[ForeignNode]:
    """Translate `aten.convolution`, into which torch decomposes all convolutions."""
    rank = len(arguments("stride"))
    yield from (_conv_transpose(rank) if arguments("transposed") else _conv(rank))(arguments)


def _batch_norm(arguments: Arguments) -> Iterator[ForeignNode]:
    if arguments("training"):
        raise unsupported(arguments, "it was exported in training mode: call module.eval() first")
    inputs = (arguments(name) for name in ("input", "weight", "bias", "running_mean", "running_var"))
    momentum = arguments("momentum")
    yield arguments.node(
        "batch_norm", *inputs, epsilon=arguments("eps", 1e-5), momentum=0.1 if momentum is None else momentum
    )


def _layer_norm(arguments: Arguments) -> Iterator[ForeignNode]:
    inputs = arguments("input"), arguments("weight"), arguments("bias")
    yield arguments.node("layer_norm", *inputs, rank=len(arguments("normalized_shape")), epsilon=arguments("eps", 1e-5))


def _rms_norm(arguments: Arguments) -> Iterator[ForeignNode]:
    epsilon = arguments("eps")  # the default is that of the dtype
    rank = len(arguments("normalized_shape"))
    yield arguments.node(
        "rms_norm",
        arguments("input"),
        arguments("weight"),
        rank=rank,
        epsilon=1.1920929e-07 if epsilon is None else epsilon,
    )


def _instance_norm(arguments: Arguments) -> Iterator[ForeignNode]:
    if not arguments("use_input_stats", True):
        raise unsupported(arguments, "Keras has no running statistics of instances")
    yield arguments.node(
        "group_norm",
        arguments("input"),
        arguments("weight"),
        arguments("bias"),
        groups=None,
        epsilon=arguments("eps", 1e-5),
    )


def _dropout(*, by_feature: bool = False, alpha: bool = False) -> Translation:
    """Translate a dropout of single values or of whole feature maps; an alpha dropout keeps mean and variance."""

    def translate(arguments: Arguments) -> Iterator[ForeignNode]:
        if arguments("train"):
            raise unsupported(arguments, "it was exported in training mode: call module.eval() first")
        rate = arguments("p", 0.5)
        yield arguments.node("dropout", arguments("input"), rate=rate, by_feature=by_feature, alpha=alpha)

    return translate


DROPOUTS: dict[str, Translation] = {
    "dropout": _dropout(),
    "feature_dropout": _dropout(by_feature=True),
    "alpha_dropout": _dropout(alpha=True),
    "feature_alpha_dropout": _dropout(by_feature=True, alpha=True),
}


def _lstm(arguments: Arguments) -> Iterator[ForeignNode]:
    yield _recurrent(arguments, "lstm", arguments("hx"))


def _single_state(kind: str) -> Translation:
    def translate(arguments: Arguments) -> Iterator[ForeignNode]:
        yield _recurrent(arguments, kind, (arguments("hx"),))

    return translate


def _recurrent(arguments: Arguments, kind: str, states: tuple[Operand, ...]) -> ForeignNode:
    if arguments("train"):
        raise unsupported(arguments, "it was exported in training mode: call module.eval() first")
    return arguments.node(
        "recurrent",
        arguments("input"),
        *states,
        **recurrent(
            kind,
            arguments("params"),
            layers=arguments("num_layers"),
            bidirectional=arguments("bidirectional"),
            batch_first=arguments("batch_first"),
            bias=arguments("has_biases"),
            dropout=arguments("dropout"),
        ),
    )


def _addmm(arguments: Arguments) -> Iterator[ForeignNode]:
    if arguments("alpha", 1) != 1 or arguments("beta", 1) != 1:
        raise unsupported(arguments, "its product or sum is scaled (alpha, beta)")
    product = f"{arguments.outputs[0]}_product"
    yield ForeignNode("matmul", (arguments("mat1"), arguments("mat2")), (product,), {}, arguments.operator)
    yield arguments.node("add", Ref(product), arguments("self"))


# --- pooling and resizing -------------------------------------------------------------------------------------------


def _pool(kind: str, rank: int) -> Translation:
    def translate(arguments: Arguments) -> Iterator[ForeignNode]:
        window = arguments.sizes("kernel_size", rank)
        divisor = arguments("divisor_override")
        if divisor is not None:
            raise unsupported(arguments, "divisor_override has no counterpart in Keras")
        yield ForeignNode(
            kind,
            (arguments("self"),),
            arguments.outputs[:1],
            {
                "window": window,
                "strides": arguments.sizes("stride", rank) if arguments("stride") else window,
                "padding": tuple((width, width) for width in arguments.sizes("padding", rank, 0)),
                "dilation": arguments.sizes("dilation", rank, 1),
                "ceil": bool(arguments("ceil_mode", False)),
                "count_padding": bool(arguments("count_include_pad", True)),
            },
            arguments.operator,
        )

    return translate


def _adaptive(kind: str, rank: int) -> Translation:
    def translate(arguments: Arguments) -> Iterator[ForeignNode]:
        size = arguments.sizes("output_size", rank)
        yield ForeignNode(
            "adaptive_pool",
            (arguments("self"),),
            arguments.outputs[:1],
            {"size": size, "reduces": kind},
            arguments.operator,
        )

    return translate


def _upsample(mode: str) -> Translation:
    def translate(arguments: Arguments) -> Iterator[ForeignNode]:
        factors = arguments("scale_factors")
        if factors is None:
            named = tuple(arguments(f"scales{axis}") for axis in ("_d", "_h", "_w", ""))
            factors = tuple(each for each in named if each is not None) or None
        x = arguments("input") if "input" in arguments.values else arguments("self")
        align = bool(arguments("align_corners", False))
        yield arguments.node("upsample", x, size=arguments("output_size"), factors=factors, mode=mode, align=align)

    return translate


def _attention(arguments: Arguments) -> Iterator[ForeignNode]:
    if arguments("dropout_p", 0.0):
        raise unsupported(arguments, "it has dropout: call module.eval() first")
    inputs = (arguments(name) for name in ("query", "key", "value", "attn_mask"))
    yield arguments.node(
        "attention",
        *inputs,
        causal=bool(arguments("is_causal", False)),
        scale=arguments("scale"),
        grouped=bool(arguments("enable_gqa", False)),
    )


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
    "embedding.default": as_kind("embedding", "weight", "indices", padding=("padding_idx", -1)),
    "mv.default": as_kind("matmul", "self", "vec"),
    "dot.default": as_kind("matmul", "self", "tensor"),
    "vdot.default": as_kind("matmul", "self", "other"),
    **{f"{name}.default": each for name, each in DROPOUTS.items()},
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
    **{
        f"upsample_{mode}{rank}d.{overload}": _upsample(mode)
        for mode, rank in (("linear", 1), ("bilinear", 2), ("trilinear", 3), ("bicubic", 2))
        for overload in ("vec", "default")
    },
    **{
        f"_upsample_nearest_exact{rank}d.{overload}": _upsample("nearest_exact")
        for rank in (1, 2, 3)
        for overload in ("vec", "default")
    },
    "_weight_norm.default": as_kind("weight_norm", "v", "g", axis=("dim", 0)),
}
