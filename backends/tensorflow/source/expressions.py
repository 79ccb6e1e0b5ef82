"""TensorFlow's expressions, and the handlers of kinds that need more than an expression."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from ....graph.graph import GraphNode
from ....graph.writing.expressions import Dialect, shape_text
from ....graph.writing.layout import literal
from ....graph.writing.tree import TreeHandler, TreeWriter

_PLAIN = (
    *("abs", "sign", "square", "sqrt", "exp", "sin", "cos", "tan", "floor", "round", "zeros_like", "ones_like"),
    *("logical_not", "tanh", "stop_gradient", "sigmoid"),
)
_MATH = ("expm1", "log", "log1p", "reciprocal", "ceil", "rsqrt", "erf")
_NN = ("selu", "silu", "softplus", "softsign")
_REDUCTIONS = {
    "mean": "tf.reduce_mean",
    "sum": "tf.reduce_sum",
    "max": "tf.reduce_max",
    "min": "tf.reduce_min",
    "prod": "tf.reduce_prod",
    "var": "tf.math.reduce_variance",
    "std": "tf.math.reduce_std",
    "any": "tf.reduce_any",
    "all": "tf.reduce_all",
}

DIALECT = Dialect(
    elementwise={
        **{name: f"tf.{name}({{x}})" for name in _PLAIN},
        **{name: f"tf.math.{name}({{x}})" for name in _MATH},
        **{name: f"tf.nn.{name}({{x}})" for name in _NN},
        "negative": "-{x}",
        "mish": "{x} * tf.tanh(tf.nn.softplus({x}))",
        "log_sigmoid": "tf.math.log_sigmoid({x})",
        "hard_sigmoid": "tf.nn.relu6({x} + 3.0) / 6.0",
        "hard_silu": "{x} * tf.nn.relu6({x} + 3.0) / 6.0",
        "isnan": "tf.math.is_nan({x})",
        "hard_tanh": "tf.clip_by_value({x}, -1.0, 1.0)",
        "sparse_plus": "tf.where({x} < 1.0, tf.square(tf.maximum({x}, -1.0) + 1.0) / 4.0, {x})",
        "sparse_sigmoid": "tf.clip_by_value(({x} + 1.0) / 2.0, 0.0, 1.0)",
        # The minimum keeps the exponential from overflowing where `where` selects x.
        "elu": "tf.where({x} > 0.0, {x}, {alpha} * tf.math.expm1(tf.minimum({x}, 0.0)))",
        "celu": "tf.where({x} > 0.0, {x}, {alpha} * tf.math.expm1(tf.minimum({x}, 0.0) / {alpha}))",
        "gelu": "tf.nn.gelu({x}, approximate={approximate})",
        "tanh_shrink": "{x} - tf.tanh({x})",
        "hard_shrink": "tf.where(tf.abs({x}) > {threshold}, {x}, 0.0)",
        "soft_shrink": "tf.sign({x}) * tf.maximum(tf.abs({x}) - {threshold}, 0.0)",
        "threshold": "tf.where({x} > {threshold}, {x}, {default_value})",
        "squareplus": "({x} + tf.sqrt(tf.square({x}) + {b})) / 2.0",
        "cumsum": "tf.cumsum({x}, axis={axis})",
        "flatten": "tf.reshape({x}, (tf.shape({x})[0], -1))",
        "fold_time": "tf.reshape({x}, tf.concat([[-1], tf.shape({x})[2:]], 0))",
        "repeat_vector": "tf.repeat({x}[:, None], {n}, axis=1)",
        "transpose": "tf.transpose({x}, {axes})",
        "squeeze": "tf.squeeze({x}, {axis})",
        "flip": "tf.reverse({x}, {axis})",
        "repeat": "tf.repeat({x}, {repeats}, axis={axis})",
        "tile": "tf.tile({x}, {repeats})",
        "resize": "tf.image.resize({x}, ({height}, {width}), {interpolation})",
    },
    functions={
        "logical_and": "tf.logical_and",
        "logical_or": "tf.logical_or",
        "where": "tf.where",
        "equal": "tf.equal",
        "not_equal": "tf.not_equal",
    },
    pairwise={"maximum": "tf.maximum", "minimum": "tf.minimum"},
    joins={"concatenate": "tf.concat", "stack": "tf.stack"},
    reductions={kind: f"{function}({{x}}, {{axis}}{{keep}})" for kind, function in _REDUCTIONS.items()},
    activations={
        "linear": "tf.identity",
        "tanh": "tf.tanh",
        "sigmoid": "tf.sigmoid",
        "exp": "tf.exp",
        "log_sigmoid": "tf.math.log_sigmoid",
        "hard_sigmoid": "lambda x: tf.nn.relu6(x + 3.0) / 6.0",
        "hard_silu": "lambda x: x * tf.nn.relu6(x + 3.0) / 6.0",
        "hard_tanh": "lambda x: tf.clip_by_value(x, -1.0, 1.0)",
        "mish": "lambda x: x * tf.tanh(tf.nn.softplus(x))",
        **{name: f"tf.nn.{name}" for name in (*_NN, "relu", "relu6", "elu")},
    },
    softmax={"softmax": "tf.nn.softmax", "log_softmax": "tf.nn.log_softmax"},
    relu="tf.nn.relu({x})",
    relu6="tf.nn.relu6({x})",
    leaky_relu="tf.nn.leaky_relu({x}, {negative_slope})",
    clip="tf.clip_by_value({x}, {minimum}, {maximum})",
    where="tf.where",
    minimum="tf.minimum",
    cast="tf.cast({x}, {dtype})",
    array="tf.constant",
    einsum="tf.einsum",
    l2_normalize="tf.math.l2_normalize({x}, {axis})",
)


def _with_batch(x: str, node: GraphNode) -> str:
    shape: Any = node.config["shape"]
    return shape_text(shape, "-1" if -1 not in shape else f"tf.shape({x})[0]")


def _reshape(writer: TreeWriter, node: GraphNode) -> Sequence[str]:
    (x,) = writer.inputs(node)
    return [f"tf.reshape({x}, {_with_batch(x, node)})"]


def _broadcast_to(writer: TreeWriter, node: GraphNode) -> Sequence[str]:
    x, *like = writer.inputs(node)
    shape: Any = node.config["shape"]
    return [f"tf.broadcast_to({x}, {shape_text(shape, f'tf.shape({(like or [x])[0]})[0]')})"]


def _take(writer: TreeWriter, node: GraphNode) -> Sequence[str]:
    x, places = writer.inputs(node)
    return [f"tf.gather({x}, {places}, axis={node.config['axis']})"]


def _unfold_time(writer: TreeWriter, node: GraphNode) -> Sequence[str]:
    x, like = writer.inputs(node)
    return [f"tf.reshape({x}, tf.concat([tf.shape({like})[:2], tf.shape({x})[1:]], 0))"]


def _expand_dims(writer: TreeWriter, node: GraphNode) -> Sequence[str]:
    axes: Any = node.config["axis"]
    (x,) = writer.inputs(node)
    for axis in axes:
        x = f"tf.expand_dims({x}, {axis})"
    return [x]


def _arg(function: str) -> TreeHandler:
    def handler(writer: TreeWriter, node: GraphNode) -> Sequence[str]:
        axis = node.config["axis"]
        text = f"{function}({writer.inputs(node)[0]}, axis={axis}, output_type=tf.int32)"
        return [f"tf.expand_dims({text}, {axis})" if node.config["keepdims"] else text]

    return handler


def _pad(writer: TreeWriter, node: GraphNode) -> Sequence[str]:
    (x,), value = writer.inputs(node), node.config["value"]
    fill = f", constant_values={value!r}" if value else ""
    return [f"tf.pad({x}, {literal(node.config['pad_width'])}{fill})"]


def _up_sampling(writer: TreeWriter, node: GraphNode) -> Sequence[str]:
    size: Any = node.config["size"]
    (x,) = writer.inputs(node)
    if node.config["interpolation"] == "bilinear":
        return [f'tf.image.resize({x}, tf.shape({x})[1:3] * {literal(tuple(size))}, "bilinear")']
    for axis, factor in enumerate(size, 1):
        x = f"tf.repeat({x}, {factor}, axis={axis})" if factor > 1 else x
    return [x]


def _split(writer: TreeWriter, node: GraphNode) -> Sequence[str]:
    config: Any = node.config
    (x,), sections = writer.inputs(node), config["sections"]
    if not isinstance(sections, int):
        length = writer.spec(node).shape[config["axis"]]
        cuts = (0, *sections, -1 if length is None else length)
        sections = tuple(-1 if after == -1 else after - before for before, after in pairwise(cuts))
    text = f"tf.split({x}, {literal(sections)}, axis={config['axis']})"
    return [text for _ in node.outputs] if len(node.outputs) > 1 else [f"{text}[0]"]


def _one_hot(writer: TreeWriter, node: GraphNode) -> Sequence[str]:
    config: Any = node.config
    dtype = "" if config["dtype"] == "float32" else f", dtype={literal(config['dtype'])}"
    axis = "" if config["axis"] == node.outputs[0].rank - 1 else f", axis={config['axis']}"
    return [f"tf.one_hot({writer.inputs(node)[0]}, {config['num_classes']}{dtype}{axis})"]


def _glu(writer: TreeWriter, node: GraphNode) -> Sequence[str]:
    return [f"{writer.helper('glu')}({writer.inputs(node)[0]}, axis={node.config['axis']})"]


def _softmax(kind: str) -> TreeHandler:
    def handler(writer: TreeWriter, node: GraphNode) -> Sequence[str]:
        (x,), axis = writer.inputs(node), node.config["axis"]
        if isinstance(axis, int):
            along = "" if axis == node.outputs[0].rank - 1 else f", axis={axis}"
            return [f"{DIALECT.softmax[kind]}({x}{along})"]
        text = f"{x} - tf.reduce_logsumexp({x}, {literal(axis)}, keepdims=True)"
        return [text if kind == "log_softmax" else f"tf.exp({text})"]

    return handler


OWN_HANDLERS: Mapping[str, TreeHandler] = {
    "reshape": _reshape,
    "broadcast_to": _broadcast_to,
    "take": _take,
    "unfold_time": _unfold_time,
    "expand_dims": _expand_dims,
    "argmax": _arg("tf.argmax"),
    "argmin": _arg("tf.argmin"),
    "pad": _pad,
    "up_sampling": _up_sampling,
    "split": _split,
    "one_hot": _one_hot,
    "glu": _glu,
    "softmax": _softmax("softmax"),
    "log_softmax": _softmax("log_softmax"),
}
