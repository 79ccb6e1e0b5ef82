"""Keras layers for what has weights: products, convolutions, normalisations, embeddings; and attention."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from .builder import Builder, Handler, Held, RefusedError, at_the_end, channels_last, plain_order
from .foreign_graph import Node, Weight
from .pooling import zero_padded
from .windows import Pairs, is_same, pairs_of

_CONV = {1: keras.layers.Conv1D, 2: keras.layers.Conv2D, 3: keras.layers.Conv3D}
_DEPTHWISE = {1: keras.layers.DepthwiseConv1D, 2: keras.layers.DepthwiseConv2D}
_TRANSPOSED = {1: keras.layers.Conv1DTranspose, 2: keras.layers.Conv2DTranspose, 3: keras.layers.Conv3DTranspose}
_CROPPING = {1: keras.layers.Cropping1D, 2: keras.layers.Cropping2D, 3: keras.layers.Cropping3D}


# --- products -------------------------------------------------------------------------------------------------------


def _linear(builder: Builder, node: Node) -> Sequence[Held]:
    return [_dense(builder, node, turned=True)]


def _affine(builder: Builder, node: Node) -> Sequence[Held]:
    return [_dense(builder, node, turned=False)]


def _dense(builder: Builder, node: Node, *, turned: bool) -> Held:
    """A Dense layer; of an array that was flattened with its channels last, the kernel's rows are put in that order.

    Args:
        turned: whether the weight is (out, in).
    """
    x = builder.held(node.inputs[0])
    weight, bias = builder.array(node.inputs[1]), builder.array(node.inputs[2]) if len(node.inputs) > 2 else None
    assert weight is not None
    kernel = weight.T if turned else weight
    order = at_the_end(x.order, [x.rank - 1])
    if x.features is not None:
        kernel, tensor = kernel[x.features], x.tensor
    else:
        tensor = builder.arranged(x, order)
    weights = [(node.inputs[1], kernel)]
    if bias is not None:
        weights.append((node.inputs[2], bias.reshape(-1)))
    dense = builder.layer(keras.layers.Dense, tensor, weights, units=int(kernel.shape[1]), use_bias=bias is not None)
    return Held(dense, order)


def _matmul(builder: Builder, node: Node) -> Sequence[Held]:
    """A product with a matrix of weights is a Dense layer; of two arrays it is a product."""
    other = builder.operand(node.inputs[1])
    if isinstance(other, Weight) and other.trainable and other.value.ndim == 2:
        return _affine(builder, node)
    one, two = (_factor(builder, each) for each in node.inputs)
    rank = max(each.rank if isinstance(each, Held) else each.ndim for each in (one, two))
    arrays = [builder.plain(each) if isinstance(each, Held) else each for each in (one, two)]
    return [Held(keras.ops.matmul(*arrays), plain_order(rank))]


def _factor(builder: Builder, value: Any) -> Held | np.ndarray:
    found = builder.operand(value)
    if isinstance(found, Weight) and found.trains_alone:
        return builder.parameter(found, max(found.value.ndim, 3))
    return found if isinstance(found, Held) else np.asarray(found.value if isinstance(found, Weight) else found)


# --- convolutions ---------------------------------------------------------------------------------------------------


def _conv(builder: Builder, node: Node) -> Sequence[Held]:
    x, attributes = builder.held(node.inputs[0]), node.attributes
    weight, bias = builder.array(node.inputs[1]), builder.array(node.inputs[2])
    assert weight is not None
    rank = weight.ndim - 2
    if x.rank != rank + 2:
        raise RefusedError(f"an array of {x.rank} axes: give it one for the samples")
    spans = [(size - 1) * step + 1 for size, step in zip(weight.shape[2:], attributes["dilation"], strict=True)]
    tensor, padding = _padded(builder, x, attributes["padding"], spans, attributes["strides"])
    config = {
        "strides": _plain(attributes["strides"]),
        "dilation_rate": _plain(attributes["dilation"]),
        "padding": padding,
        "use_bias": bias is not None,
    }
    biases = [] if bias is None else [(node.inputs[2], bias)]
    made = _convolved(builder, tensor, node, weight, biases, config)
    return [Held(made, channels_last(x.rank))]


def _convolved(
    builder: Builder, tensor: Any, node: Node, weight: np.ndarray, biases: list[Any], config: dict[str, Any]
) -> Any:
    """The convolution itself: each channel by itself where there is a group a channel and Keras has a layer for it."""
    groups, rank, channels = int(node.attributes["groups"]), weight.ndim - 2, tensor.shape[-1]
    kernel_size = tuple(int(size) for size in weight.shape[2:])
    kernel = np.moveaxis(weight, (0, 1), (-1, -2))
    same_strides = len(set(config["strides"])) == 1
    if groups == channels and groups > 1 and rank in _DEPTHWISE and same_strides:
        multiplier = weight.shape[0] // groups
        kernel = kernel[..., 0, :].reshape(*kernel_size, groups, multiplier)
        config = {**config, "depth_multiplier": multiplier, "kernel_size": kernel_size}
        return builder.layer(_DEPTHWISE[rank], tensor, [(node.inputs[1], kernel), *biases], **config)
    return builder.layer(
        _CONV[rank],
        tensor,
        [(node.inputs[1], kernel), *biases],
        filters=int(weight.shape[0]),
        kernel_size=kernel_size,
        groups=groups,
        **config,
    )


def _padded(builder: Builder, x: Held, padding: Any, spans: Sequence[int], strides: Sequence[int]) -> tuple[Any, str]:
    """The array with its channels last, padded where Keras' own padding is another, and the padding that is left."""
    tensor = builder.last(x)
    lengths = tensor.shape[1:-1]
    pairs = pairs_of(padding, lengths, spans, strides)
    if pairs is None or is_same(pairs, lengths, spans, strides):
        return tensor, "same"
    if any(before or after for before, after in pairs):
        tensor = zero_padded(tensor, pairs)
    return tensor, "valid"


def _conv_transpose(builder: Builder, node: Node) -> Sequence[Held]:
    """A transposed convolution of the full length, and then cropped as the file pads it."""
    x, attributes = builder.held(node.inputs[0]), node.attributes
    weight, bias = builder.array(node.inputs[1]), builder.array(node.inputs[2])
    assert weight is not None
    rank, strides, dilation = weight.ndim - 2, attributes["strides"], _plain(attributes["dilation"])
    if attributes["groups"] != 1:
        raise RefusedError("a transposed convolution in groups")
    if max(dilation) > 1 and max(strides) > 1:
        raise RefusedError("a transposed convolution that is dilated and strided")
    weights = [(node.inputs[1], np.moveaxis(weight, (0, 1), (-1, -2)))]
    weights += [] if bias is None else [(node.inputs[2], bias)]
    made = builder.layer(
        _TRANSPOSED[rank],
        builder.last(x),
        weights,
        filters=int(weight.shape[1]),
        kernel_size=tuple(int(size) for size in weight.shape[2:]),
        strides=_plain(strides),
        dilation_rate=dilation,
        padding="valid",
        use_bias=bias is not None,
    )
    spans = [(size - 1) * step + 1 for size, step in zip(weight.shape[2:], dilation, strict=True)]
    crop = _cropping(attributes, spans, strides)
    if any(before or after for before, after in crop):
        made = _CROPPING[rank](crop if rank > 1 else crop[0])(made)
    return [Held(made, channels_last(x.rank))]


def _cropping(attributes: Any, spans: Sequence[int], strides: Sequence[int]) -> Pairs:
    """How much of the full length the file leaves out at either end of each axis."""
    crop = []
    for (before, after), more, span, step in zip(
        attributes["padding"], attributes["output_padding"], spans, strides, strict=True
    ):
        # Keras gives at least as many as the strides reach: zeros, where the window is shorter.
        end = max(step - span, 0) + after - more
        if end < 0:
            raise RefusedError("an output padding that is larger than the padding")
        crop.append((int(before), int(end)))
    return tuple(crop)


def _plain(values: Sequence[Any]) -> tuple[int, ...]:
    return tuple(int(value) for value in values)


# --- normalisation, embedding, dropout ------------------------------------------------------------------------------


def _batch_norm(builder: Builder, node: Node) -> Sequence[Held]:
    x = builder.held(node.inputs[0])
    order = channels_last(x.rank)
    epsilon, momentum = float(node.attributes["epsilon"]), 1 - float(node.attributes["momentum"])
    weights, has = _scale_and_shift(builder, node)
    tensor = builder.arranged(x, order)
    kind = keras.layers.BatchNormalization
    return [Held(builder.layer(kind, tensor, weights, epsilon=epsilon, momentum=momentum, **has), order)]


def _layer_norm(builder: Builder, node: Node) -> Sequence[Held]:
    x, rank = builder.held(node.inputs[0]), int(node.attributes["rank"])
    axes = list(range(x.rank - rank, x.rank))
    order = at_the_end(x.order, axes)
    weights, has = _scale_and_shift(builder, node)
    config: dict[str, Any] = {"axis": -1 if rank == 1 else axes, "epsilon": float(node.attributes["epsilon"]), **has}
    return [Held(builder.layer(keras.layers.LayerNormalization, builder.arranged(x, order), weights, **config), order)]


def _rms_norm(builder: Builder, node: Node) -> Sequence[Held]:
    x = builder.held(node.inputs[0])
    weights = builder.arrays(node.inputs[1:2])
    if not weights or node.attributes["rank"] != 1:
        raise RefusedError("without a scale, or over several axes")
    order = at_the_end(x.order, [x.rank - 1])
    config: dict[str, Any] = {"axis": -1, "epsilon": float(node.attributes["epsilon"])}
    return [Held(builder.layer(keras.layers.RMSNormalization, builder.arranged(x, order), weights, **config), order)]


def _group_norm(builder: Builder, node: Node) -> Sequence[Held]:
    x = builder.held(node.inputs[0])
    order = channels_last(x.rank)
    tensor = builder.arranged(x, order)
    weights, has = _scale_and_shift(builder, node)
    groups, epsilon = int(node.attributes["groups"] or tensor.shape[-1]), float(node.attributes["epsilon"])
    kind = keras.layers.GroupNormalization
    return [Held(builder.layer(kind, tensor, weights, groups=groups, axis=-1, epsilon=epsilon, **has), order)]


def _scale_and_shift(builder: Builder, node: Node) -> tuple[list[tuple[Any, np.ndarray]], dict[str, Any]]:
    """The weights of a normalisation, and which of the first two, its scale and its shift, are there."""
    scale, shift = (builder.array(each) is not None for each in node.inputs[1:3])
    return builder.arrays(node.inputs[1:]), {"scale": scale, "center": shift}


def _embedding(builder: Builder, node: Node) -> Sequence[Held]:
    table, places = builder.array(node.inputs[0]), builder.held(node.inputs[1])
    assert table is not None
    tensor = builder.plain(places)
    made = builder.layer(
        keras.layers.Embedding,
        tensor,
        [(node.inputs[0], table)],
        input_dim=int(table.shape[0]),
        output_dim=int(table.shape[1]),
    )
    return [Held(made, plain_order(places.rank + 1))]


def _dropout(builder: Builder, node: Node) -> Sequence[Held]:
    x, rate = builder.held(node.inputs[0]), float(node.attributes["rate"])
    return [Held(keras.layers.Dropout(rate)(x.tensor), x.order, x.features) if rate else x]


# --- attention ------------------------------------------------------------------------------------------------------


def _attention(builder: Builder, node: Node) -> Sequence[Held]:
    """softmax(query · keyᵀ · scale + mask) · value, over the last two axes."""
    query, key, value = (builder.held(each) for each in node.inputs[:3])
    mask = builder.operand(node.inputs[3]) if len(node.inputs) > 3 else None
    rank, scale = query.rank, node.attributes["scale"]
    width = query.shape[-1]
    if scale is None and width is None:
        raise RefusedError("its width is open")
    factor = float(scale) if scale is not None else 1 / math.sqrt(int(width or 1))
    turned = builder.arranged(key, (*range(rank - 2), rank - 1, rank - 2))
    scores = keras.ops.matmul(keras.ops.multiply(builder.plain(query), factor), turned)
    if node.attributes["causal"]:
        mask = _causal(query.shape[-2], key.shape[-2])
    if mask is not None:
        scores = _masked(builder, scores, mask)
    weights = keras.ops.softmax(scores, axis=-1)
    return [Held(keras.ops.matmul(weights, builder.plain(value)), plain_order(rank))]


def _causal(queries: int | None, keys: int | None) -> np.ndarray:
    if queries is None or keys is None:
        raise RefusedError("it looks back only, over a length that is open")
    return np.tril(np.ones((queries, keys), bool))


def _masked(builder: Builder, scores: Any, mask: Any) -> Any:
    """The scores with a mask: true where to look, or numbers to add."""
    found = (
        builder.plain(mask) if isinstance(mask, Held) else np.asarray(mask.value if isinstance(mask, Weight) else mask)
    )
    if str(found.dtype) == "bool":
        return keras.ops.where(found, scores, float(np.finfo("float32").min))
    return keras.ops.add(scores, found)


LAYERS: dict[str, Handler] = {
    "linear": _linear,
    "affine": _affine,
    "matmul": _matmul,
    "conv": _conv,
    "conv_transpose": _conv_transpose,
    "batch_norm": _batch_norm,
    "layer_norm": _layer_norm,
    "rms_norm": _rms_norm,
    "group_norm": _group_norm,
    "embedding": _embedding,
    "dropout": _dropout,
    "attention": _attention,
}
