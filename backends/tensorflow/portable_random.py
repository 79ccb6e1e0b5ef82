"""Our hash for TensorFlow, in unsigned integers.

Compiled by XLA, also in the middle of an ordinary graph, whose own operations would go over the memory once for each
step of the hash. It is compiled once for each number of elements.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from ..same_run.portable_random import LANES, MULTIPLIERS, OFFSETS


def words(drawn: tf.Tensor, shape: tuple[Any, ...]) -> tf.Tensor:
    """32 random bits for each element.

    Args:
        drawn: (2,) integers, [seed, counter].

    Returns:
        `shape`, int32.
    """
    return tf.reshape(_words_compiled(_unsigned(drawn), _count(shape)), shape)


def factors(drawn: tf.Tensor, shape: tuple[Any, ...], kept: Any, scale: Any) -> tf.Tensor:
    """`scale` for `kept` of 65,536 elements, zero for the others.

    Args:
        drawn: (2,) integers, [seed, counter].

    Returns:
        `shape`, float32.
    """
    kept, scale = tf.constant(kept, tf.int32), tf.constant(scale, tf.float32)
    return tf.reshape(_factors_compiled(_unsigned(drawn), _count(shape), kept, scale), shape)


def untraced(draw_seed: Callable[[Any], tf.Tensor]) -> Callable[[Any], tf.Tensor]:
    """Keras' `draw_seed`, fit for a step that is compiled: here it is as it is."""
    return draw_seed


def _words(drawn: tf.Tensor, count: tf.Tensor) -> tf.Tensor:
    return tf.bitcast(_hashed(_key(drawn), count), tf.int32)


def _factors(drawn: tf.Tensor, count: tf.Tensor, kept: tf.Tensor, scale: tf.Tensor) -> tf.Tensor:
    half = (count + 1) // 2
    hashed = _hashed(_key(drawn), half)
    low = tf.bitwise.bitwise_and(hashed, tf.constant(LANES - 1, tf.uint32))
    high = _shifted(hashed, 16)[: count - half]
    return tf.where(tf.cast(tf.concat([low, high], 0), tf.int32) < kept, scale, tf.constant(0, tf.float32))


_words_compiled = tf.function(_words, jit_compile=True, autograph=False)
_factors_compiled = tf.function(_factors, jit_compile=True, autograph=False)


def _count(shape: tuple[Any, ...]) -> tf.Tensor:
    return tf.reduce_prod(tf.cast(tf.stack(shape), tf.int32)) if shape else tf.constant(1)


def _unsigned(drawn: tf.Tensor) -> tf.Tensor:
    """Keras keeps seeds in 64 bits here, and in 32 elsewhere: what counts is the lower half."""
    return tf.cast(tf.bitwise.bitwise_and(tf.cast(drawn, tf.int64), 2**32 - 1), tf.uint32)


def _key(drawn: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    first, second = (_mixed(drawn[0] + tf.constant(offset, tf.uint32)) for offset in OFFSETS)
    first = _mixed(tf.bitwise.bitwise_xor(first, drawn[1]))
    return first, _mixed(tf.bitwise.bitwise_xor(first, second))


def _hashed(key: tuple[tf.Tensor, tf.Tensor], count: tf.Tensor) -> tf.Tensor:
    return _mixed(tf.bitwise.bitwise_xor(tf.cast(tf.range(count), tf.uint32), key[0]), key[1])


def _mixed(x: tf.Tensor, between: tf.Tensor | None = None) -> tf.Tensor:
    x = tf.bitwise.bitwise_xor(x, _shifted(x, 16)) * tf.constant(MULTIPLIERS[0], tf.uint32)
    x = tf.bitwise.bitwise_xor(x, _shifted(x, 15))
    x = x if between is None else tf.bitwise.bitwise_xor(x, between)
    x = x * tf.constant(MULTIPLIERS[1], tf.uint32)
    return tf.bitwise.bitwise_xor(x, _shifted(x, 15))


def _shifted(x: tf.Tensor, by: int) -> tf.Tensor:
    return tf.bitwise.right_shift(x, tf.constant(by, tf.uint32))
