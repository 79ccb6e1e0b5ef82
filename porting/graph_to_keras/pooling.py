"""Windows that move over an array without weights: pooling, also to a given size, and enlarging."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from .builder import Builder, Handler, Held, RefusedError, channels_last
from .constant_folding import lengths
from .foreign_graph import Node
from .windows import Pairs, is_same, pairs_of, same_pairs

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
# Less than anything that a network computes, and finite, as a file of JSON wants it.
_LOWEST = float(np.finfo("float32").min)


def _max_pool(builder: Builder, node: Node) -> Sequence[Held]:
    x, tensor, pairs, _ = _windowed(builder, node)
    rank, config = len(pairs), _config(node)
    if is_same(pairs, tensor.shape[1:-1], config["pool_size"], config["strides"]):
        return [_pooled(_MAX[rank](**config, padding="same")(tensor), x)]
    if any(before or after for before, after in pairs):
        tensor = keras.ops.pad(tensor, ((0, 0), *pairs, (0, 0)), constant_values=_LOWEST)
    return [_pooled(_MAX[rank](**config)(tensor), x)]


def _average_pool(builder: Builder, node: Node) -> Sequence[Held]:
    """An average; where padding counts or not other than in Keras, corrected by a factor for each place."""
    x, tensor, pairs, explicit = _windowed(builder, node)
    rank, config, counted = len(pairs), _config(node), bool(node.attributes["count_padding"])
    padded = any(before or after for before, after in pairs)
    spans, strides, shape = config["pool_size"], config["strides"], tensor.shape[1:-1]
    if padded and not counted and is_same(pairs, shape, spans, strides):
        return [_pooled(_AVERAGE[rank](**config, padding="same")(tensor), x)]
    if padded:
        tensor = zero_padded(tensor, pairs)
    made = _AVERAGE[rank](**config)(tensor)
    if padded and not (counted and pairs == explicit):
        made = keras.ops.multiply(made, _correction(shape, spans, strides, pairs, explicit if counted else None))
    return [_pooled(made, x)]


def _pooled(tensor: Any, x: Held) -> Held:
    return Held(tensor, channels_last(x.rank))


def _config(node: Node) -> dict[str, Any]:
    return {
        name: tuple(int(n) for n in node.attributes[key])
        for name, key in (("pool_size", "window"), ("strides", "strides"))
    }


def _windowed(builder: Builder, node: Node) -> tuple[Held, Any, Pairs, Pairs]:
    """The array, its tensor with channels last, what is padded in all, and what of that the file itself pads."""
    x, attributes = builder.held(node.inputs[0]), node.attributes
    window, strides = attributes["window"], attributes["strides"]
    if any(int(step) != 1 for step in attributes["dilation"]):
        raise RefusedError("its window has gaps (dilation)")
    if x.rank != len(window) + 2:
        raise RefusedError(f"an array of {x.rank} axes: give it one for the samples")
    tensor = builder.last(x)
    shape = tensor.shape[1:-1]
    pairs = pairs_of(attributes["padding"], shape, window, strides)
    if pairs is None:
        pairs = same_pairs(shape, window, strides)
        if pairs is None:
            raise RefusedError("its padding depends on a length that is open")
    whole = _rounded_up(shape, window, strides, pairs) if attributes["ceil"] else pairs
    return x, tensor, whole, pairs


def _rounded_up(shape: Sequence[int | None], window: Sequence[int], strides: Sequence[int], pairs: Pairs) -> Pairs:
    """With so much after each axis that a last, partial window is one too; it must begin within the array."""
    made = []
    for length, span, step, (before, after) in zip(shape, window, strides, pairs, strict=True):
        if length is None:
            raise RefusedError("it rounds up a length that is open")
        total = length + before + after
        count = -(-(total - span) // step) + 1
        count -= (count - 1) * step >= length + before
        made.append((before, after + max((count - 1) * step + span - total, 0)))
    return tuple(made)


def _correction(
    shape: Sequence[int | None], spans: Sequence[int], strides: Sequence[int], pairs: Pairs, counted: Pairs | None
) -> np.ndarray:
    """The window's size over how many values of each window count, (1, …, 1).

    Args:
        counted: the padding that counts; None for none.
    """
    share = np.ones(())
    for axis, (length, span, step, (before, after)) in enumerate(zip(shape, spans, strides, pairs, strict=True)):
        if length is None:
            raise RefusedError("how much padding is in a window depends on a length that is open")
        low, high = counted[axis] if counted else (0, 0)
        places = np.zeros(length + before + after)
        places[before - low : before + length + high] = 1
        sums = np.convolve(places, np.ones(span), "valid")[::step]
        share = np.multiply.outer(share, span / sums)
    return share[None, ..., None].astype("float32")


def zero_padded(tensor: Any, pairs: Pairs) -> Any:
    """An array with its channels last and zeros around it."""
    rank = len(pairs)
    return _PADDING[rank](pairs if rank > 1 else pairs[0])(tensor)


# --- to a given size ------------------------------------------------------------------------------------------------


def _adaptive_pool(builder: Builder, node: Node) -> Sequence[Held]:
    x, average = builder.held(node.inputs[0]), node.attributes["reduces"] == "average"
    rank = x.rank - 2
    tensor = builder.last(x)
    shape = tensor.shape[1:-1]
    size = tuple(n if given is None else int(given) for given, n in zip(node.attributes["size"], shape, strict=True))
    if all(n == 1 for n in size):
        return [_pooled((_GLOBAL_AVERAGE if average else _GLOBAL_MAX)[rank](keepdims=True)(tensor), x)]
    if size == shape:
        return [x]
    if any(n is None or m is None or n % m for n, m in zip(shape, size, strict=True)):
        raise RefusedError(f"lengths {shape} pooled to {size} in windows of several sizes")
    window = tuple(int(n) // int(m) for n, m in zip(shape, size, strict=True))
    return [_pooled((_AVERAGE if average else _MAX)[rank](window, window)(tensor), x)]


def _global_pool(builder: Builder, node: Node) -> Sequence[Held]:
    x = builder.held(node.inputs[0])
    layers = _GLOBAL_AVERAGE if node.attributes["reduces"] == "average" else _GLOBAL_MAX
    return [_pooled(layers[x.rank - 2](keepdims=True)(builder.last(x)), x)]


def global_average(builder: Builder, x: Held, keepdims: bool) -> Held | None:
    """The mean over all axes but samples and channels, as a layer; None where that is not what it is of."""
    rank = x.rank - 2
    if rank not in _GLOBAL_AVERAGE:
        return None
    tensor = _GLOBAL_AVERAGE[rank](keepdims=keepdims)(builder.last(x))
    return Held(tensor, channels_last(x.rank) if keepdims else (0, 1))


# --- enlarging ------------------------------------------------------------------------------------------------------


def _upsample(builder: Builder, node: Node) -> Sequence[Held]:
    x, mode = builder.held(node.inputs[0]), node.attributes["mode"]
    tensor = builder.last(x)
    shape, rank = tensor.shape[1:-1], x.rank - 2
    factors = _factors(node, shape)
    if all(factor == 1 for factor in factors):
        return [x]
    options: dict[str, Any] = {"interpolation": mode} if rank == 2 else {}
    return [_pooled(_UP[rank](size=factors if rank > 1 else factors[0], **options)(tensor), x)]


def _factors(node: Node, shape: Sequence[int | None]) -> tuple[int, ...]:
    factors = node.attributes["factors"]
    if factors is None:
        size = lengths(node.attributes["size"])[-len(shape) :]
        if any(not isinstance(n, int) or not isinstance(m, int) for n, m in zip(size, shape, strict=True)):
            raise RefusedError("it enlarges to a length that is open")
        factors = tuple(n / m for n, m in zip(size, shape, strict=True))
    factors = tuple(float(factor) for factor in np.ravel(factors))[-len(shape) :]
    if any(factor < 1 or factor != int(factor) for factor in factors):
        raise RefusedError(f"it enlarges {shape} by {factors}, and only whole numbers are covered")
    return tuple(int(factor) for factor in factors)


POOLING: dict[str, Handler] = {
    "max_pool": _max_pool,
    "average_pool": _average_pool,
    "adaptive_pool": _adaptive_pool,
    "global_pool": _global_pool,
    "upsample": _upsample,
}
