"""A block of an encoder in JAX: self-attention and two dense layers, each added to its input and normalised."""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp

from .forward_pass import ForwardPass
from .layers import dense, layer_normalization


def attention_block(
    forward: ForwardPass, x: jax.Array, activation: Callable[[jax.Array], jax.Array] = jax.nn.relu
) -> jax.Array:
    """(n, length, width) → (n, length, width)."""
    attended = forward.dropout(_attention(forward, x))
    x = layer_normalization(forward, x + attended)
    hidden = forward.dropout(dense(forward, activation(dense(forward, x))))
    return layer_normalization(forward, x + hidden)


def _attention(forward: ForwardPass, x: jax.Array) -> jax.Array:
    query, key, value = (_heads(forward, x) for _ in range(3))
    kernel, bias = forward.take(2)
    scores = jnp.einsum("nqhd,nkhd->nhqk", query * query.shape[-1] ** -0.5, key)
    shares = forward.dropout(jax.nn.softmax(scores))
    attended = jnp.einsum("nhqk,nkhd->nqhd", shares, value)
    return jnp.einsum("nqhd,hdw->nqw", attended, kernel) + bias


def _heads(forward: ForwardPass, x: jax.Array) -> jax.Array:
    """(n, length, width) → (n, length, heads, width / heads)."""
    kernel, bias = forward.take(2)
    return jnp.einsum("nlw,whd->nlhd", x, kernel) + bias
