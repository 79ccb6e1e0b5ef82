"""Layers in JAX: functions of a forward pass, which hands them their weights, and of their inputs."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from ..keras_defaults import NORMALIZATION_EPSILON
from .forward_pass import ForwardPass


def dense(forward: ForwardPass, x: jax.Array) -> jax.Array:
    kernel, bias = forward.take(2)
    return x @ kernel + bias


def convolution(forward: ForwardPass, x: jax.Array, strides: int = 1, *, has_bias: bool = True) -> jax.Array:
    """(n, height, width, channels) → (n, height / strides, width / strides, filters), zeros around the picture."""
    (kernel,) = forward.take(1)
    layout = ("NHWC", "HWIO", "NHWC")
    x = jax.lax.conv_general_dilated(x, kernel, (strides, strides), "SAME", dimension_numbers=layout)
    return x + forward.take(1)[0] if has_bias else x


def upscaling(forward: ForwardPass, x: jax.Array) -> jax.Array:
    """(n, height, width, channels) → (n, 2 height, 2 width, filters): a transposed convolution without overlap.

    Each pixel becomes a square of its own, so that one matrix product computes it.
    """
    kernel, bias = forward.take(2)  # the kernel: (2, 2, filters, channels)
    count, height, width, _ = x.shape
    squares = jnp.einsum("nhwc,abfc->nhawbf", x, kernel)
    return squares.reshape(count, 2 * height, 2 * width, -1) + bias


def max_pooling(x: jax.Array) -> jax.Array:
    """(n, height, width, channels) → (n, height / 2, width / 2, channels)."""
    return jax.lax.reduce_window(x, -jnp.inf, jax.lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID")


def embedding(forward: ForwardPass, tokens: jax.Array) -> jax.Array:
    (table,) = forward.take(1)
    return table[tokens]


def batch_normalization(forward: ForwardPass, x: jax.Array) -> jax.Array:
    scale, offset = forward.take(2)
    axes = tuple(range(x.ndim - 1))
    mean = x.mean(axes)
    variance = jnp.maximum((x * x).mean(axes) - mean * mean, 0)  # both means in one pass over x
    forward.move_statistics(mean, variance)
    return (x - mean) * (scale * jax.lax.rsqrt(variance + NORMALIZATION_EPSILON)) + offset


def layer_normalization(forward: ForwardPass, x: jax.Array, epsilon: float = 1e-6) -> jax.Array:
    scale, offset = forward.take(2)
    mean = x.mean(-1, keepdims=True)
    variance = jnp.square(x - mean).mean(-1, keepdims=True)
    return (x - mean) * jax.lax.rsqrt(variance + epsilon) * scale + offset
