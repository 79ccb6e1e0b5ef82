"""The state of one forward pass: which weights come next, the random keys, and the new moving statistics."""

from __future__ import annotations

from collections.abc import Sequence

import jax
import jax.numpy as jnp

from ..keras_defaults import MOMENTUM
from ..task import NativeTask


class ForwardPass:
    """Hands the weights out to layers in Keras' order; it lives while a step is traced.

    Args:
        task: whose options and dropout rate the layers need.
        weights: the trainable weights.
        statistics: the moving means and variances.
        key: of the dropout masks of this step.

    Attributes:
        new_statistics: the moving statistics after this step, of the layers passed so far.
    """

    def __init__(self, task: NativeTask, weights: Sequence[jax.Array], statistics: Sequence[jax.Array], key: jax.Array):
        self.task = task
        self.new_statistics: list[jax.Array] = []
        self._weights, self._statistics = list(weights), statistics
        self._key = key

    def take(self, count: int) -> list[jax.Array]:
        """Return the next weights."""
        taken, self._weights = self._weights[:count], self._weights[count:]
        return taken

    @property
    def remaining(self) -> int:
        """The number of weights that no layer has taken yet."""
        return len(self._weights)

    def move_statistics(self, *values: jax.Array) -> None:
        """Move the next moving statistics a little towards those of this batch."""
        for value in values:
            old = self._statistics[len(self.new_statistics)]
            self.new_statistics.append(old * MOMENTUM + value * (1 - MOMENTUM))

    def dropout(self, x: jax.Array) -> jax.Array:
        rate = self.task.dropout
        if not rate:
            return x
        self._key, key = jax.random.split(self._key)
        mask = jax.random.bernoulli(key, 1 - rate, x.shape)
        return jnp.where(mask, x / (1 - rate), 0)
