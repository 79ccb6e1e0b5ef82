"""Models of pictures in JAX, channels last."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from ..keras_defaults import EPSILON, MAX_NORM
from .forward_pass import ForwardPass
from .layers import batch_normalization, convolution, dense, max_pooling, upscaling


def pooling(forward: ForwardPass, x: jax.Array) -> jax.Array:
    for _ in range(2):
        x = max_pooling(forward.dropout(jax.nn.relu(convolution(forward, x))))
    return _three_dense(forward, x)


def striding(forward: ForwardPass, x: jax.Array) -> jax.Array:
    for _ in range(2):
        x = forward.dropout(jax.nn.relu(convolution(forward, x, strides=2)))
    return _three_dense(forward, x)


def _three_dense(forward: ForwardPass, x: jax.Array) -> jax.Array:
    x = jax.nn.relu(dense(forward, x.reshape(len(x), -1)))
    return dense(forward, jax.nn.relu(dense(forward, x)))


def limit_norm(kernel: jax.Array) -> jax.Array:
    # Keras' MaxNorm takes the norm along the first axis, whatever the layer.
    norm = jnp.sqrt(jnp.sum(kernel**2, axis=0, keepdims=True))
    return kernel * jnp.clip(norm, 0, MAX_NORM) / (EPSILON + norm)


def resnet20(forward: ForwardPass, x: jax.Array) -> jax.Array:
    filters, blocks = forward.task.options["filters"], forward.task.options["blocks"]
    x = jax.nn.relu(batch_normalization(forward, convolution(forward, x, has_bias=False)))
    for stage in range(len(filters)):
        for block in range(blocks):
            x = _residual(forward, x, filters[stage], strides=2 if stage and not block else 1)
    return dense(forward, x.mean((1, 2)))


def _residual(forward: ForwardPass, x: jax.Array, filters: int, strides: int) -> jax.Array:
    changed = convolution(forward, x, strides, has_bias=False)
    changed = jax.nn.relu(batch_normalization(forward, changed))
    changed = convolution(forward, changed, has_bias=False)
    if x.shape[-1] != filters:  # its weights come before those of the last normalisation
        x = convolution(forward, x, strides, has_bias=False)
    return jax.nn.relu(x + batch_normalization(forward, changed))


def unet(forward: ForwardPass, x: jax.Array) -> jax.Array:
    skipped = []
    for _ in forward.task.options["filters"][:-1]:
        x = _convolved_twice(forward, x)
        skipped.append(x)
        x = max_pooling(x)
    x = _convolved_twice(forward, x)
    for before in reversed(skipped):
        x = _convolved_twice(forward, jnp.concatenate([upscaling(forward, x), before], -1))
    return convolution(forward, x)


def _convolved_twice(forward: ForwardPass, x: jax.Array) -> jax.Array:
    for _ in range(2):
        x = jax.nn.relu(convolution(forward, x))
    return x
