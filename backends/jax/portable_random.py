"""Our hash for JAX, in unsigned integers. XLA fuses it into the operation that uses the bits."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from ..same_run.portable_random import KEEP_LEVELS, MULTIPLIERS, OFFSETS


@functools.partial(jax.jit, static_argnames="shape")
def random_bits(seed: jax.Array, shape: tuple[int, ...]) -> jax.Array:
    """Return 32 random bits for each element.

    Args:
        seed: (2,) integers, [seed, counter].

    Returns:
        `shape`, int32.
    """
    first, second = _key(seed)
    return jax.lax.bitcast_convert_type(_mix(_element_numbers(shape) ^ first, second), jnp.int32)


@functools.partial(jax.jit, static_argnames="shape")
def dropout_mask(seed: jax.Array, shape: tuple[int, ...], threshold: Any, scale: Any) -> jax.Array:
    """Return a scaled dropout mask: `scale` with probability `threshold` / 65,536, else zero.

    Args:
        seed: (2,) integers, [seed, counter].

    Returns:
        `shape`, float32.
    """
    # The word of both halves is hashed twice: where each element is computed by itself, XLA fuses the mask into the
    # operation that uses it, and divides it between devices with the samples. Joined halves take six times as long.
    half = jnp.uint32((math.prod(shape) + 1) // 2)
    element = _element_numbers(shape)
    is_upper = element >= half
    first, second = _key(seed)
    words = _mix(jnp.where(is_upper, element - half, element) ^ first, second)
    lanes = jnp.where(is_upper, words >> 16, words & (KEEP_LEVELS - 1)).astype(jnp.int32)
    return jnp.where(lanes < threshold, jnp.float32(scale), jnp.float32(0))


def untraced(draw_seed: Callable[[Any], jax.Array]) -> Callable[[Any], jax.Array]:
    """Return Keras' `draw_seed` in a form that a compiled step can call: under JAX, unchanged."""
    return draw_seed


def _key(pair: jax.Array) -> tuple[jax.Array, jax.Array]:
    if jnp.issubdtype(pair.dtype, jax.dtypes.prng_key):
        pair = jax.random.key_data(pair)
    seed, counter = pair.astype(jnp.uint32)
    first, second = (_mix(seed + jnp.uint32(offset)) for offset in OFFSETS)
    first = _mix(first ^ counter)
    return first, _mix(first ^ second)


def _element_numbers(shape: tuple[int, ...]) -> jax.Array:
    """Return the number of each element in row-major order: `shape`, uint32."""
    numbers = jnp.zeros(shape, jnp.uint32)
    for axis in range(len(shape)):
        stride = jnp.uint32(math.prod(shape[axis + 1 :]))
        numbers += jax.lax.broadcasted_iota(jnp.uint32, shape, axis) * stride
    return numbers


def _mix(x: jax.Array, between: Any = 0) -> jax.Array:
    x = (x ^ (x >> 16)) * jnp.uint32(MULTIPLIERS[0])
    x = (x ^ (x >> 15) ^ between) * jnp.uint32(MULTIPLIERS[1])
    return x ^ (x >> 15)
