"""Windows without weights: pooling, pooling to a target size, and upsampling."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np

from .builder import Builder, Handler, OrderedTensor, UnsupportedNodeError, channels_last
from .constant_folding import lengths
from .foreign_graph import ForeignNode
from .resizing import MODES, resize_axis
from .windows import Pairs, is_same, padding_pairs, same_pairs

_MAX = {1: keras.layers.MaxPooling1D, 2: keras.layers.MaxPooling2D, 3: keras.layers.MaxPooling3D}
_AVERAGE = {1: keras.layers.AveragePooling1D, 2: keras.layers.AveragePooling2D, 3: keras.layers.AveragePooling3D}
_GLOBAL_AVERAGE = {
    1: keras.layers.GlobalAveragePooling1D,
    2: keras.layers.GlobalAveragePooling2D,
    3: keras.layers.GlobalAveragePooling3D,
}
_GLOBAL_MAX = {
    1: keras.layers.GlobalMaxPooling1D,
    2: keras.layers.GlobalMaxPooling2D,
    3: keras.layers.GlobalMaxPooling3D,
}
_PADDING = {1: keras.layers.ZeroPadding1D, 2: keras.layers.ZeroPadding2D, 3: keras.layers.ZeroPadding3D}
_UP = {1: keras.layers.UpSampling1D, 2: keras.layers.UpSampling2D, 3: keras.layers.UpSampling3D}
# What Keras' layers for two axes do; for others only the first.
_LAYER_MODES = ("nearest", "bilinear")
# A length divided and multiplied again stays whole.
_ROUNDING = 1e-6
# Lower than any value that a network computes, and finite, because JSON has no infinity.
_LOWEST = float(np.finfo("float32").min)


def _max_pool(builder: Builder, node: ForeignNode) -> Sequence[OrderedTensor]:
    x, tensor, pairs, _ = _prepare_window(builder, node)
    rank, config = len(pairs), _config(node)
    if is_same(pairs, tensor.shape[1:-1], config["pool_size"], config["strides"]):
        return [_with_channels_last(_MAX[rank](**config, padding="same")(tensor), x)]
    if any(before or after for before, after in pairs):
        tensor = keras.ops.pad(tensor, ((0, 0), *pairs, (0, 0)), constant_values=_LOWEST)
    return [_with_channels_last(_MAX[rank](**config)(tensor), x)]


def _average_pool(builder: Builder, node: ForeignNode) -> Sequence[OrderedTensor]:
    """Average windows. Where the file counts padding differently from Keras, multiply by a factor per position."""
    x, tensor, pairs, explicit = _prepare_window(builder, node)
    rank, config, counted = len(pairs), _config(node), bool(node.attributes["count_padding"])
    padded = any(before or after for before, after in pairs)
    spans, strides, shape = config["pool_size"], config["strides"], tensor.shape[1:-1]
    if padded and not counted and is_same(pairs, shape, spans, strides):
        return [_with_channels_last(_AVERAGE[rank](**config, padding="same")(tensor), x)]
    if padded:
        tensor = zero_padded(tensor, pairs)
    pooled = _AVERAGE[rank](**config)(tensor)
    if padded and not (counted and pairs == explicit):
        pooled = keras.ops.multiply(
            pooled, _padding_correction(shape, spans, strides, pairs, explicit if counted else None)
        )
    return [_with_channels_last(pooled, x)]


def _with_channels_last(tensor: Any, x: OrderedTensor) -> OrderedTensor:
    return OrderedTensor(tensor, channels_last(x.rank))


def _config(node: ForeignNode) -> dict[str, Any]:
    return {
        name: tuple(int(n) for n in node.attributes[key])
        for name, key in (("pool_size", "window"), ("strides", "strides"))
    }


def _prepare_window(builder: Builder, node: ForeignNode) -> tuple[OrderedTensor, Any, Pairs, Pairs]:
    """Return the array, its tensor with channels last, the total padding, and the padding that the file states."""
    x, attributes = builder.model_tensor(node.inputs[0]), node.attributes
    window, strides = attributes["window"], attributes["strides"]
    if any(int(step) != 1 for step in attributes["dilation"]):
        raise UnsupportedNodeError("its window has gaps (dilation)")
    if x.rank != len(window) + 2:
        raise UnsupportedNodeError(f"its input has {x.rank} axes: add one for the batch")
    tensor = builder.with_channels_last(x)
    shape = tensor.shape[1:-1]
    pairs = padding_pairs(attributes["padding"], shape, window, strides)
    if pairs is None:
        pairs = same_pairs(shape, window, strides)
        if pairs is None:
            raise UnsupportedNodeError("its padding depends on a length that is not known in advance")
    whole = _ceil_padding(shape, window, strides, pairs) if attributes["ceil"] else pairs
    return x, tensor, whole, pairs


def _ceil_padding(shape: Sequence[int | None], window: Sequence[int], strides: Sequence[int], pairs: Pairs) -> Pairs:
    """Return the padding with enough after each axis for a last, partial window, which must begin inside the array."""
    rounded = []
    for length, span, step, (before, after) in zip(shape, window, strides, pairs, strict=True):
        if length is None:
            raise UnsupportedNodeError("it rounds up a length that is not known in advance")
        total = length + before + after
        count = -(-(total - span) // step) + 1
        count -= (count - 1) * step >= length + before
        rounded.append((before, after + max((count - 1) * step + span - total, 0)))
    return tuple(rounded)


def _padding_correction(
    shape: Sequence[int | None], spans: Sequence[int], strides: Sequence[int], pairs: Pairs, counted: Pairs | None
) -> np.ndarray:
    """Return (1, …, 1): for each window, its size divided by the number of values that count.

    Args:
        counted: the padding that counts, or None if none does.
    """
    share = np.ones(())
    for axis, (length, span, step, (before, after)) in enumerate(zip(shape, spans, strides, pairs, strict=True)):
        if length is None:
            raise UnsupportedNodeError("the padding in a window depends on a length that is not known in advance")
        low, high = counted[axis] if counted else (0, 0)
        places = np.zeros(length + before + after)
        places[before - low : before + length + high] = 1
        sums = np.convolve(places, np.ones(span), "valid")[::step]
        share = np.multiply.outer(share, span / sums)
    return share[None, ..., None].astype("float32")


def zero_padded(tensor: Any, pairs: Pairs) -> Any:
    """Pad a tensor with channels last by zeros."""
    rank = len(pairs)
    return _PADDING[rank](pairs if rank > 1 else pairs[0])(tensor)


# --- to a target size ------------------------------------------------------------------------------------------------


def _adaptive_pool(builder: Builder, node: ForeignNode) -> Sequence[OrderedTensor]:
    x, average = builder.model_tensor(node.inputs[0]), node.attributes["reduces"] == "average"
    rank = x.rank - 2
    tensor = builder.with_channels_last(x)
    shape = tensor.shape[1:-1]
    size = tuple(n if target is None else int(target) for target, n in zip(node.attributes["size"], shape, strict=True))
    if all(n == 1 for n in size):
        return [_with_channels_last((_GLOBAL_AVERAGE if average else _GLOBAL_MAX)[rank](keepdims=True)(tensor), x)]
    if size == shape:
        return [x]
    if any(n is None or m is None for n, m in zip(shape, size, strict=True)):
        raise UnsupportedNodeError(f"lengths {shape}, of which some are not known in advance, pooled to {size}")
    if any(n % m for n, m in zip(shape, size, strict=True)):
        for axis, count in enumerate(size, 1):
            tensor = _pool_axis(tensor, axis, count, keras.ops.mean if average else keras.ops.max)
        return [_with_channels_last(tensor, x)]
    window = tuple(int(n) // int(m) for n, m in zip(shape, size, strict=True))
    return [_with_channels_last((_AVERAGE if average else _MAX)[rank](window, window)(tensor), x)]


def _pool_axis(tensor: Any, axis: int, count: int, reduce: Callable[..., Any]) -> Any:
    """Reduce an axis to a length in PyTorch's windows, which overlap or repeat where the length is no divisor."""
    length, before = tensor.shape[axis], (slice(None),) * axis
    if count == length:
        return tensor
    bounds = [(place * length // count, -(-(place + 1) * length // count)) for place in range(count)]
    windows = [reduce(tensor[(*before, slice(*each))], axis=axis, keepdims=True) for each in bounds]
    return keras.ops.concatenate(windows, axis=axis)


def _global_pool(builder: Builder, node: ForeignNode) -> Sequence[OrderedTensor]:
    x = builder.model_tensor(node.inputs[0])
    layers = _GLOBAL_AVERAGE if node.attributes["reduces"] == "average" else _GLOBAL_MAX
    return [_with_channels_last(layers[x.rank - 2](keepdims=True)(builder.with_channels_last(x)), x)]


def global_average(builder: Builder, x: OrderedTensor, keepdims: bool) -> OrderedTensor | None:
    """Return the mean over all axes but batch and channels, as a layer; None if Keras has no layer for the rank."""
    rank = x.rank - 2
    if rank not in _GLOBAL_AVERAGE:
        return None
    tensor = _GLOBAL_AVERAGE[rank](keepdims=keepdims)(builder.with_channels_last(x))
    return OrderedTensor(tensor, channels_last(x.rank) if keepdims else (0, 1))


# --- upsampling ------------------------------------------------------------------------------------------------------


def _upsample(builder: Builder, node: ForeignNode) -> Sequence[OrderedTensor]:
    x, mode = builder.model_tensor(node.inputs[0]), str(node.attributes["mode"])
    tensor = builder.with_channels_last(x)
    shape, rank = tensor.shape[1:-1], x.rank - 2
    factors = _factors(node, shape)
    if all(factor == 1 for factor in factors):
        return [x]
    if mode in _LAYER_MODES[: 2 if rank == 2 else 1] and not node.attributes.get("align"):
        whole = tuple(int(factor) for factor in factors)
        if whole == factors and min(whole) > 0:
            options: dict[str, Any] = {"interpolation": mode} if rank == 2 else {}
            return [_with_channels_last(_UP[rank](size=whole if rank > 1 else whole[0], **options)(tensor), x)]
    return [_with_channels_last(_resize(node, tensor, factors, mode), x)]


def _factors(node: ForeignNode, shape: Sequence[int | None]) -> tuple[float, ...]:
    factors = node.attributes["factors"]
    if factors is None:
        size = lengths(node.attributes["size"])[-len(shape) :]
        if any(not isinstance(n, int) or not isinstance(m, int) for n, m in zip(size, shape, strict=True)):
            raise UnsupportedNodeError("it upsamples to a length that is not known in advance")
        factors = tuple(n / m for n, m in zip(size, shape, strict=True))
    return tuple(float(factor) for factor in np.ravel(factors))[-len(shape) :]


def _resize(node: ForeignNode, tensor: Any, factors: tuple[float, ...], mode: str) -> Any:
    """Resize as PyTorch does; ONNX states only whole factors so that the two agree."""
    align, stated = node.attributes.get("align"), node.attributes["factors"] is not None
    if align is None:
        raise UnsupportedNodeError(f"it upsamples by {factors}, and only whole numbers are covered")
    for axis, factor in enumerate(factors, 1):
        length = tensor.shape[axis]
        if length is None:
            raise UnsupportedNodeError("it resizes a length that is not known in advance")
        # `math.floor` as PyTorch: 7 · 1.5 are 10.
        after = math.floor(length * factor + _ROUNDING) if stated else round(length * factor)
        tensor = resize_axis(tensor, axis, after, factor if stated else None, MODES[mode], bool(align))
    return tensor


POOLING: dict[str, Handler] = {
    "max_pool": _max_pool,
    "average_pool": _average_pool,
    "adaptive_pool": _adaptive_pool,
    "global_pool": _global_pool,
    "upsample": _upsample,
}
