"""The state of one forward pass: which weights and moving statistics come next."""

from __future__ import annotations

from collections.abc import Sequence

import tensorflow as tf

from ..keras_defaults import MOMENTUM
from ..task import NativeTask


class ForwardPass:
    """Hands the variables out to layers in Keras' order; it lives while a step is traced.

    Args:
        task: whose options and dropout rate the layers need.
        weights: the trainable weights.
        statistics: the moving means and variances.
        loops: whether recurrent layers loop over their steps, which are unrolled otherwise.
    """

    def __init__(
        self,
        task: NativeTask,
        weights: Sequence[tf.Variable],
        statistics: Sequence[tf.Variable],
        loops: bool,
    ):
        self.task, self.loops = task, loops
        self._weights, self._statistics = list(weights), list(statistics)

    def take(self, count: int) -> list[tf.Variable]:
        """Return the next weights."""
        taken, self._weights = self._weights[:count], self._weights[count:]
        return taken

    @property
    def remaining(self) -> int:
        """The number of weights that no layer has taken yet."""
        return len(self._weights)

    def move_statistics(self, *values: tf.Tensor) -> None:
        """Move the next moving statistics a little towards those of this batch."""
        for value in values:
            statistic = self._statistics.pop(0)
            statistic.assign_sub((statistic - value) * (1 - MOMENTUM))

    def dropout(self, x: tf.Tensor) -> tf.Tensor:
        return tf.nn.dropout(x, self.task.dropout) if self.task.dropout else x
