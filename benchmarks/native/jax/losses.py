"""The losses in JAX, from a model's outputs before its last activation."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from ..task import BINARY, CROSS_ENTROPY, NativeTask


def loss_and_correct(task: NativeTask, outputs: jax.Array, y: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Return the mean loss, and the number of correct predictions, 0 if they are not counted."""
    if task.loss == CROSS_ENTROPY:
        likelihood = jnp.take_along_axis(jax.nn.log_softmax(outputs), y[:, None], axis=1)
        return -likelihood.mean(), _correct(task, outputs.argmax(1) == y)
    outputs = outputs.reshape(y.shape)
    if task.loss == BINARY:
        losses = jnp.maximum(outputs, 0) - outputs * y + jnp.log1p(jnp.exp(-jnp.abs(outputs)))
        return losses.mean(), _correct(task, (outputs > 0) == (y > 0.5))
    return jnp.mean((outputs - y) ** 2), jnp.zeros(())


def _correct(task: NativeTask, hits: jax.Array) -> jax.Array:
    return hits.sum().astype("float32") if task.accuracy else jnp.zeros(())
