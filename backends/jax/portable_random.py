"""Our hash for JAX, in unsigned integers. XLA fuses all of it into what uses the bits."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from ..same_run.portable_random import LANES, MULTIPLIERS, OFFSETS


@functools.partial(jax.jit, static_argnames="shape")
def words(drawn: jax.Array, shape: tuple[int, ...]) -> jax.Array:
    """32 random bits for each element.

    Args:
        drawn: (2,) integers, [seed, counter].

    Returns:
        `shape`, int32.
    """
    return jax.lax.bitcast_convert_type(_hashed(_key(drawn), math.prod(shape)), jnp.int32).reshape(shape)


@functools.partial(jax.jit, static_argnames="shape")
def factors(drawn: jax.Array, shape: tuple[int, ...], kept: Any, scale: Any) -> jax.Array:
    """`scale` for `kept` of 65,536 elements, zero for the others.

    Args:
        drawn: (2,) integers, [seed, counter].

    Returns:
        `shape`, float32.
    """
    count = math.prod(shape)
    hashed = _hashed(_key(drawn), (count + 1) // 2)
    lanes = jnp.concatenate([hashed & (LANES - 1), hashed >> 16])[:count].astype(jnp.int32)
    return jnp.where(lanes < kept, jnp.float32(scale), jnp.float32(0)).reshape(shape)


def untraced(draw_seed: Callable[[Any], jax.Array]) -> Callable[[Any], jax.Array]:
    """Keras' `draw_seed`, fit for a step that is compiled: here it is as it is."""
    return draw_seed


def _key(drawn: jax.Array) -> tuple[jax.Array, jax.Array]:
    if jnp.issubdtype(drawn.dtype, jax.dtypes.prng_key):
        drawn = jax.random.key_data(drawn)
    seed, counter = drawn.astype(jnp.uint32)
    first, second = (_mixed(seed + jnp.uint32(offset)) for offset in OFFSETS)
    first = _mixed(first ^ counter)
    return first, _mixed(first ^ second)


def _hashed(key: tuple[jax.Array, jax.Array], count: int) -> jax.Array:
    return _mixed(jax.lax.iota(jnp.uint32, count) ^ key[0], key[1])


def _mixed(x: jax.Array, between: Any = 0) -> jax.Array:
    x = (x ^ (x >> 16)) * jnp.uint32(MULTIPLIERS[0])
    x = (x ^ (x >> 15) ^ between) * jnp.uint32(MULTIPLIERS[1])
    return x ^ (x >> 15)
