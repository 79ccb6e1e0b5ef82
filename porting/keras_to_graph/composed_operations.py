"""Readers of `keras.ops` operations that become several nodes, each with the source of its formula in Keras."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from ...graph.graph import ArrayReference, ConfigValue, Spec
from .calls import LayerCall
from .reader import GraphReader, LayerReader, UnreadableError, specs_of
from .shared import Steps, normalized_axes, transpose

_LETTERS = "abcdefghijklmnopqrstuvwxyz"


def _float_input(reader: GraphReader, call: LayerCall, name: str = "x") -> ArrayReference:
    return reader.cast(call, call.arguments[name], specs_of(call)[0].dtype)


def _axes(reader: GraphReader, value: ArrayReference, axis: Any) -> tuple[int, ...]:
    return normalized_axes(list(axis) if isinstance(axis, (list, tuple)) else axis, reader.spec(value).rank)


def _normalize(reader: GraphReader, call: LayerCall) -> Sequence[ArrayReference]:
    """Return x · min(1 / √Σx², 1 / epsilon)."""
    operation, step, value = call.operation, Steps(reader, call), _float_input(reader, call)
    if operation.order != 2:
        raise UnreadableError(f"order {operation.order} is not covered")
    total = step.reduced("sum", step("square", value), _axes(reader, value, operation.axis))
    epsilon = keras.config.epsilon() if operation.epsilon is None else operation.epsilon
    factor = step("minimum", step("rsqrt", total), 1 / float(epsilon))
    return [step("multiply", value, factor)]


def _norm(reader: GraphReader, call: LayerCall) -> Sequence[ArrayReference]:
    """Return √Σx², or Σ|x| for order 1."""
    operation, step, value = call.operation, Steps(reader, call), _float_input(reader, call)
    axes = _axes(reader, value, operation.axis)
    if operation.ord == 1 and len(axes) == 1:
        result = step.reduced("sum", step("abs", value), axes)
    elif operation.ord in (None, "fro") or (operation.ord == 2 and len(axes) == 1):
        result = step("sqrt", step.reduced("sum", step("square", value), axes))
    else:
        raise UnreadableError(f"order {operation.ord} is not covered")
    return [result if operation.keepdims else step.without(result, axes)]


def _logsumexp(reader: GraphReader, call: LayerCall) -> Sequence[ArrayReference]:
    """Return log Σ exp(x - m) + m, where m is the largest x."""
    operation, step, value = call.operation, Steps(reader, call), _float_input(reader, call)
    axes = _axes(reader, value, operation.axis)
    largest = step.reduced("max", value, axes)
    total = step.reduced("sum", step("exp", step("subtract", value, largest)), axes)
    result = step("add", step("log", total), largest)
    return [result if operation.keepdims else step.without(result, axes)]


def _moveaxis(reader: GraphReader, call: LayerCall) -> Sequence[ArrayReference]:
    value, operation = call.arguments["x"], call.operation
    rank = reader.spec(value).rank
    sources = [int(axis) % rank for axis in np.atleast_1d(operation.source)]
    targets = [int(axis) % rank for axis in np.atleast_1d(operation.destination)]
    order = [axis for axis in range(rank) if axis not in sources]
    for target, source in sorted(zip(targets, sources, strict=True)):
        order.insert(target, source)
    return [transpose(reader, call, value, tuple(order), "")]


def _dot(reader: GraphReader, call: LayerCall) -> Sequence[ArrayReference]:
    """Read a product of NumPy's `dot`: the last axis with the last but one."""
    first, second = call.arguments["x1"], call.arguments["x2"]
    if not (isinstance(first, ArrayReference) and isinstance(second, ArrayReference)):
        raise UnreadableError("multiplies with a number")
    ranks = reader.spec(first).rank, reader.spec(second).rank
    return _contracted(reader, call, (ranks[0] - 1,), (max(0, ranks[1] - 2),))


def _tensordot(reader: GraphReader, call: LayerCall) -> Sequence[ArrayReference]:
    axes = call.operation.axes
    first, second = (reader.spec(call.arguments[name]).rank for name in ("x1", "x2"))
    if isinstance(axes, int):
        return _contracted(reader, call, tuple(range(first - axes, first)), tuple(range(axes)))
    pairs = [[axis] if isinstance(axis, int) else list(axis) for axis in axes]
    return _contracted(reader, call, tuple(a % first for a in pairs[0]), tuple(a % second for a in pairs[1]))


def _contracted(
    reader: GraphReader, call: LayerCall, first: tuple[int, ...], second: tuple[int, ...]
) -> Sequence[ArrayReference]:
    """Add the product of two arrays, summed over these axes of each."""
    values = [reader.cast(call, call.arguments[name], specs_of(call)[0].dtype, f"cast_{name}") for name in ("x1", "x2")]
    ranks = [reader.spec(value).rank for value in values]
    letters = [list(_LETTERS[: ranks[0]]), list(_LETTERS[ranks[0] : sum(ranks)])]
    for one, other in zip(first, second, strict=True):
        letters[1][other] = letters[0][one]
    remaining = [*(letters[0][axis] for axis in range(ranks[0]) if axis not in first)]
    remaining += [letters[1][axis] for axis in range(ranks[1]) if axis not in second]
    equation = f"{''.join(letters[0])},{''.join(letters[1])}->{''.join(remaining)}"
    return reader.add(call, "einsum", values, config={"equation": equation})


def _extract_patches(reader: GraphReader, call: LayerCall) -> Sequence[ArrayReference]:
    """Read patches that lie side by side: they are what a reshaped and transposed picture holds."""
    operation, value, dtype = call.operation, _float_input(reader, call, "images"), specs_of(call)[0].dtype
    size = operation.size if isinstance(operation.size, (list, tuple)) else (operation.size, operation.size)
    strides = size if operation.strides is None else operation.strides
    strides = tuple(strides) if isinstance(strides, (list, tuple)) else (strides,) * len(size)
    shape = reader.spec(value).shape
    is_plain = tuple(size) == strides and operation.dilation_rate in (1, (1, 1), [1, 1]) and len(shape) == 4
    if not is_plain or operation.data_format == "channels_first" or None in shape[1:]:
        raise UnreadableError(
            "patches that overlap or are dilated, of volumes, or of pictures of any size are not covered"
        )
    batch, height, width, channels = shape
    rows, columns = int(height or 0) // size[0], int(width or 0) // size[1]
    if (height, width) != (rows * size[0], columns * size[1]):
        raise UnreadableError(f"patches of {size[0]}x{size[1]} do not cover {height}x{width} pixels")
    tiles = (None, rows, size[0], columns, size[1], channels)
    (value,) = reader.add(
        call, "reshape", [value], config={"shape": tiles}, role="tiles", outputs=[Spec((batch, *tiles[1:]), dtype)]
    )
    value = transpose(reader, call, value, (0, 1, 3, 2, 4, 5), "grid")
    return reader.add(call, "reshape", [value], config={"shape": (None, *specs_of(call)[0].shape[1:])})


def _slice(reader: GraphReader, call: LayerCall) -> Sequence[ArrayReference]:
    """Read a slice of a known place: its starts, and its lengths, of which -1 is the rest."""
    starts, lengths = call.arguments["start_indices"], call.operation.shape
    if not all(isinstance(each, (int, np.integer)) for each in (*starts, *lengths)):
        raise UnreadableError("starts at a place, or has a length, that is not known in advance")
    entries = tuple(
        ("slice", int(start) or None, None if length == -1 else int(start + length), None)
        for start, length in zip(starts, lengths, strict=True)
    )
    return reader.add(call, "get_item", [call.arguments["inputs"]], config={"index": entries})


def _convert_to_tensor(reader: GraphReader, call: LayerCall) -> Sequence[ArrayReference]:
    return [reader.cast(call, call.arguments["x"], specs_of(call)[0].dtype)]


def _pool(kind: str) -> LayerReader:
    """Return a reader of `keras.ops.max_pool` or `average_pool`, by keras/src/ops/nn.py."""

    def read_call(reader: GraphReader, call: LayerCall) -> Sequence[ArrayReference]:
        operation, value = call.operation, call.arguments["inputs"]
        if (operation.data_format or keras.config.image_data_format()) != "channels_last":
            raise UnreadableError("pools with its channels first, which is not covered: transpose them to the end")
        rank = reader.spec(value).rank - 2
        size, strides = (
            (length,) * rank if isinstance(length, int) else tuple(length)
            for length in (operation.pool_size, operation.strides or operation.pool_size)
        )
        config: dict[str, ConfigValue] = {
            "rank": rank,
            "pool_size": size,
            "strides": strides,
            "padding": operation.padding,
        }
        return reader.add(call, kind, [value], config=config)

    return read_call


def _dot_product_attention(reader: GraphReader, call: LayerCall) -> Sequence[ArrayReference]:
    """Return softmax(scale · QKᵀ) V of queries (batch, T, heads, size) and keys and values (batch, S, heads, size)."""
    options, operation = call.arguments, call.operation
    if any(options.get(name) is not None for name in ("bias", "mask")) or operation.is_causal:
        raise UnreadableError("attention with a bias or a mask is not covered as an operation: use MultiHeadAttention")
    if operation.attn_logits_soft_cap is not None:
        raise UnreadableError("a cap of its scores is not covered")
    query, key, value = (options[name] for name in ("query", "key", "value"))
    spec, (batch, length, heads, size) = reader.spec(query), reader.spec(key).shape
    if spec.shape[2] != heads or size is None:
        raise UnreadableError("groups of queries, or queries of any size, are not covered")
    scale = 1 / np.sqrt(size) if options.get("scale") is None else options["scale"]
    if not isinstance(scale, (int, float)):
        raise UnreadableError("its scale is no number")
    step, shape = Steps(reader, call), (batch, heads, spec.shape[1], length)
    products = step("einsum", query, key, shape=shape, role="products", equation="btnh,bsnh->bnts")
    scores = step("multiply", products, float(scale), role="scores")
    weights = step("softmax", scores, role="weights", axis=3)
    return reader.add(call, "einsum", [weights, value], config={"equation": "bnts,bsnh->btnh"}, role="values")


COMPOSED_OPERATIONS: dict[str, LayerReader] = {
    "MaxPool": _pool("max_pool"),
    "AveragePool": _pool("average_pool"),
    "Slice": _slice,
    "ConvertToTensor": _convert_to_tensor,
    "Normalize": _normalize,
    "Norm": _norm,
    "Logsumexp": _logsumexp,
    "Moveaxis": _moveaxis,
    "Dot": _dot,
    "Tensordot": _tensordot,
    "ExtractPatches": _extract_patches,
    "DotProductAttention": _dot_product_attention,
}
