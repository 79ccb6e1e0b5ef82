"""Our hash for TensorFlow, in unsigned integers.

XLA compiles it even inside an ordinary graph, whose own operations would pass over the memory once for each step of the
hash. It is compiled once for each number of elements, in 0.1 s, and TensorFlow keeps 0.25 MB for ever of each function
that has called it. So few elements are hashed by ordinary operations.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import tensorflow as tf

from ..same_run.portable_random import KEEP_LEVELS, MULTIPLIERS, OFFSETS

# Elements up to which compiling the hash does not pay. A graph draws a mask in each step, up to 0.1 ms slower than a
# compiled hash: it takes 1,000 steps to make up for compiling. XLA compiles longer runs as a whole, but for models with
# convolutions, whose steps take far longer than that. Outside of a graph, an array is mostly drawn once.
_FEW_IN_A_GRAPH = 32_768
_FEW_AT_ONCE = 2**20


def random_bits(seed: tf.Tensor, shape: tuple[Any, ...]) -> tf.Tensor:
    """Return 32 random bits for each element.

    Args:
        seed: (2,) integers, [seed, counter].

    Returns:
        `shape`, int32.
    """
    draw = _random_bits if _are_few(shape) else _compiled_random_bits
    return tf.reshape(draw(_unsigned(seed), _count(shape)), shape)


def dropout_mask(seed: tf.Tensor, shape: tuple[Any, ...], threshold: Any, scale: Any) -> tf.Tensor:
    """Return a scaled dropout mask: `scale` with probability `threshold` / 65,536, else zero.

    Args:
        seed: (2,) integers, [seed, counter].

    Returns:
        `shape`, float32.
    """
    threshold, scale = tf.constant(threshold, tf.int32), tf.constant(scale, tf.float32)
    draw = _dropout_mask if _are_few(shape) else _compiled_dropout_mask
    return tf.reshape(draw(_unsigned(seed), _count(shape), threshold, scale), shape)


def untraced(draw_seed: Callable[[Any], tf.Tensor]) -> Callable[[Any], tf.Tensor]:
    """Return Keras' `draw_seed` in a form that a compiled step can call: under TensorFlow, unchanged."""
    return draw_seed


def _random_bits(seed: tf.Tensor, count: tf.Tensor) -> tf.Tensor:
    return tf.bitcast(_hash(_key(seed), count), tf.int32)


def _dropout_mask(seed: tf.Tensor, count: tf.Tensor, threshold: tf.Tensor, scale: tf.Tensor) -> tf.Tensor:
    half = (count + 1) // 2
    hashed = _hash(_key(seed), half)
    low = tf.bitwise.bitwise_and(hashed, tf.constant(KEEP_LEVELS - 1, tf.uint32))
    high = _shift_right(hashed, 16)[: count - half]
    return tf.where(tf.cast(tf.concat([low, high], 0), tf.int32) < threshold, scale, tf.constant(0, tf.float32))


_compiled_random_bits = tf.function(_random_bits, jit_compile=True, autograph=False)
_compiled_dropout_mask = tf.function(_dropout_mask, jit_compile=True, autograph=False)


def _are_few(shape: tuple[Any, ...]) -> bool:
    """Return whether so few elements are known to be drawn that compiling the hash does not pay."""
    if not all(isinstance(size, int) for size in shape):
        return False
    return bool(math.prod(shape) <= (_FEW_AT_ONCE if tf.executing_eagerly() else _FEW_IN_A_GRAPH))


def _count(shape: tuple[Any, ...]) -> tf.Tensor:
    return tf.reduce_prod(tf.cast(tf.stack(shape), tf.int32)) if shape else tf.constant(1)


def _unsigned(seed: tf.Tensor) -> tf.Tensor:
    """Return the lower 32 bits: Keras' seeds have 64 bits under TensorFlow and 32 under the other backends."""
    return tf.cast(tf.bitwise.bitwise_and(tf.cast(seed, tf.int64), 2**32 - 1), tf.uint32)


def _key(seed: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    first, second = (_mix(seed[0] + tf.constant(offset, tf.uint32)) for offset in OFFSETS)
    first = _mix(tf.bitwise.bitwise_xor(first, seed[1]))
    return first, _mix(tf.bitwise.bitwise_xor(first, second))


def _hash(key: tuple[tf.Tensor, tf.Tensor], count: tf.Tensor) -> tf.Tensor:
    return _mix(tf.bitwise.bitwise_xor(tf.cast(tf.range(count), tf.uint32), key[0]), key[1])


def _mix(x: tf.Tensor, between: tf.Tensor | None = None) -> tf.Tensor:
    x = tf.bitwise.bitwise_xor(x, _shift_right(x, 16)) * tf.constant(MULTIPLIERS[0], tf.uint32)
    x = tf.bitwise.bitwise_xor(x, _shift_right(x, 15))
    x = x if between is None else tf.bitwise.bitwise_xor(x, between)
    x = x * tf.constant(MULTIPLIERS[1], tf.uint32)
    return tf.bitwise.bitwise_xor(x, _shift_right(x, 15))


def _shift_right(x: tf.Tensor, by: int) -> tf.Tensor:
    return tf.bitwise.right_shift(x, tf.constant(by, tf.uint32))
