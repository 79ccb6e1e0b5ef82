"""JAX's expressions, and the handlers of kinds that need more than an expression."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ....graph.graph import GraphNode
from ....graph.writing.expressions import Dialect, shape_text
from ....graph.writing.folded_padding import folded_into_reader
from ....graph.writing.layout import literal
from ....graph.writing.tree import TreeHandler, TreeWriter

_LONGEST_ARRAY = 70  # characters of an array that is written out

_NUMPY = (
    *("abs", "sign", "square", "sqrt", "exp", "expm1", "log", "log1p", "reciprocal", "sin", "cos", "tan", "floor"),
    *("ceil", "round", "zeros_like", "ones_like", "logical_not", "isnan", "tanh"),
)
_NN = ("selu", "sigmoid", "silu", "mish", "softplus", "log_sigmoid", "hard_sigmoid", "hard_silu", "hard_tanh")

DIALECT = Dialect(
    elementwise={
        **{name: f"jnp.{name}({{x}})" for name in _NUMPY},
        **{name: f"jax.nn.{name}({{x}})" for name in (*_NN, "sparse_plus", "sparse_sigmoid")},
        "negative": "-{x}",
        "rsqrt": "lax.rsqrt({x})",
        "erf": "lax.erf({x})",
        "stop_gradient": "lax.stop_gradient({x})",
        "elu": "jax.nn.elu({x}, {alpha})",
        "celu": "jax.nn.celu({x}, {alpha})",
        "gelu": "jax.nn.gelu({x}, approximate={approximate})",
        "softsign": "jax.nn.soft_sign({x})",
        "tanh_shrink": "{x} - jnp.tanh({x})",
        "hard_shrink": "jnp.where(jnp.abs({x}) > {threshold}, {x}, 0.0)",
        "soft_shrink": "jnp.sign({x}) * jnp.maximum(jnp.abs({x}) - {threshold}, 0.0)",
        "threshold": "jnp.where({x} > {threshold}, {x}, {default_value})",
        "squareplus": "jax.nn.squareplus({x}, {b})",
        "glu": "jax.nn.glu({x}, axis={axis})",
        "cumsum": "{x}.cumsum(axis={axis})",
        "flatten": "{x}.reshape({x}.shape[0], -1)",
        "fold_time": "{x}.reshape(-1, *{x}.shape[2:])",
        "repeat_vector": "jnp.repeat({x}[:, None], {n}, axis=1)",
        "transpose": "{x}.transpose({axes})",
        "expand_dims": "jnp.expand_dims({x}, {axis})",
        "squeeze": "{x}.squeeze({axis})",
        "flip": "jnp.flip({x}, {axis})",
        "repeat": "jnp.repeat({x}, {repeats}, axis={axis})",
        "tile": "jnp.tile({x}, {repeats})",
        "resize": "jax.image.resize({x}, ({x}.shape[0], {height}, {width}, {x}.shape[-1]), {interpolation}, "
        "antialias=False)",
    },
    functions={
        "logical_and": "jnp.logical_and",
        "logical_or": "jnp.logical_or",
        "where": "jnp.where",
        "equal": "jnp.equal",
        "not_equal": "jnp.not_equal",
    },
    pairwise={"maximum": "jnp.maximum", "minimum": "jnp.minimum"},
    joins={"concatenate": "jnp.concatenate", "stack": "jnp.stack"},
    reductions={
        name: f"{{x}}.{name}(axis={{axis}}{{keep}})"
        for name in ("mean", "sum", "max", "min", "prod", "var", "std", "any", "all", "argmax", "argmin")
    },
    activations={
        "linear": "jnp.asarray",
        "tanh": "jnp.tanh",
        "exp": "jnp.exp",
        "softsign": "jax.nn.soft_sign",
        **{name: f"jax.nn.{name}" for name in (*_NN, "relu", "relu6", "elu")},
    },
    softmax={"softmax": "jax.nn.softmax", "log_softmax": "jax.nn.log_softmax"},
    relu="jax.nn.relu({x})",
    relu6="jax.nn.relu6({x})",
    leaky_relu="jax.nn.leaky_relu({x}, {negative_slope})",
    clip="jnp.clip({x}, {minimum}, {maximum})",
    where="jnp.where",
    minimum="jnp.minimum",
    cast="{x}.astype({dtype})",
    array="jnp.array",
    einsum="jnp.einsum",
    l2_normalize="{x} * lax.rsqrt(jnp.maximum(jnp.square({x}).sum({axis}, keepdims=True), 1e-12))",
)


def _batch(x: str, node: GraphNode) -> str:
    return shape_text(node.config["shape"], f"{x}.shape[0]")  # type: ignore[arg-type]


def _reshape(writer: TreeWriter, node: GraphNode) -> Sequence[str]:
    (x,) = writer.inputs(node)
    return [f"{x}.reshape{_batch(x, node)}".replace(",)", ")")]


def _broadcast_to(writer: TreeWriter, node: GraphNode) -> Sequence[str]:
    x, *like = writer.inputs(node)
    return [f"jnp.broadcast_to({x}, {_batch((like or [x])[0], node)})"]


def _unfold_time(writer: TreeWriter, node: GraphNode) -> Sequence[str]:
    x, like = writer.inputs(node)
    return [f"{x}.reshape(*{like}.shape[:2], *{x}.shape[1:])"]


def _pad(writer: TreeWriter, node: GraphNode) -> Sequence[str]:
    (x,), value = writer.inputs(node), node.config["value"]
    if folded_into_reader(writer.graph, node):
        return [x]
    fill = f", constant_values={value!r}" if value else ""
    return [f"jnp.pad({x}, {literal(node.config['pad_width'])}{fill})"]


def _up_sampling(writer: TreeWriter, node: GraphNode) -> Sequence[str]:
    size: Any = node.config["size"]
    (x,) = writer.inputs(node)
    if node.config["interpolation"] == "bilinear":
        sides = [f"{x}.shape[{axis}] * {factor}" for axis, factor in enumerate(size, 1)]
        return [f'jax.image.resize({x}, ({x}.shape[0], {", ".join(sides)}, {x}.shape[-1]), "bilinear")']
    for axis, factor in enumerate(size, 1):
        x = f"jnp.repeat({x}, {factor}, axis={axis})" if factor > 1 else x
    return [x]


def _split(writer: TreeWriter, node: GraphNode) -> Sequence[str]:
    (x,) = writer.inputs(node)
    text = f"jnp.split({x}, {literal(node.config['sections'])}, axis={node.config['axis']})"
    return [text for _ in node.outputs] if len(node.outputs) > 1 else [f"{text}[0]"]


def _one_hot(writer: TreeWriter, node: GraphNode) -> Sequence[str]:
    config: Any = node.config
    dtype = "" if config["dtype"] == "float32" else f", dtype={literal(config['dtype'])}"
    axis = "" if config["axis"] == node.outputs[0].rank - 1 else f", axis={config['axis']}"
    return [f"jax.nn.one_hot({writer.inputs(node)[0]}, {config['num_classes']}{dtype}{axis})"]


OWN_HANDLERS: Mapping[str, TreeHandler] = {
    "reshape": _reshape,
    "broadcast_to": _broadcast_to,
    "unfold_time": _unfold_time,
    "pad": _pad,
    "up_sampling": _up_sampling,
    "split": _split,
    "one_hot": _one_hot,
}


def integers(value: np.ndarray) -> str:
    """Return an array of integers or truth values as text; empty where it would not fit into a line."""
    flat, dtype = value.ravel(), value.dtype.name
    if dtype == "bool" and value.ndim > 1 and np.array_equal(value, np.tril(np.ones(value.shape, "bool"))):
        return f'jnp.tril(jnp.ones({literal(value.shape)}, dtype="bool"))'  # a causal mask
    steps: Any = np.unique(np.diff(flat)) if value.dtype.kind in "iu" and flat.size > 2 else []
    if len(steps) == 1 and steps[0]:
        start, step = int(flat[0]), int(steps[0])
        limits = [*([start] if start or step != 1 else []), start + step * flat.size, *([step] if step != 1 else [])]
        shape = f".reshape({literal(value.shape)})" if value.ndim != 1 else ""
        return f'jnp.arange({", ".join(map(str, limits))}, dtype="{dtype}"){shape}'
    text = f'jnp.array({value.tolist()!r}, dtype="{dtype}")'
    return text if len(text) <= _LONGEST_ARRAY else ""
