"""Models of tables in JAX."""

from __future__ import annotations

import jax

from .forward_pass import ForwardPass
from .layers import batch_normalization, dense


def one_hidden(forward: ForwardPass, x: jax.Array) -> jax.Array:
    return dense(forward, jax.nn.relu(dense(forward, x)))


def mlp(forward: ForwardPass, x: jax.Array) -> jax.Array:
    x = batch_normalization(forward, jax.nn.relu(dense(forward, x)))
    x = jax.nn.relu(dense(forward, forward.dropout(x)))
    return dense(forward, forward.dropout(x))
