"""The Keras model's initial weights, taken by one layer of a module after the other."""

from __future__ import annotations

import numpy as np

from ..task import NativeTask


class InitialWeights:
    """Hands the weights of a task out in Keras' order."""

    def __init__(self, task: NativeTask):
        self._weights, self._statistics = list(task.weights), list(task.statistics)

    def take(self, count: int) -> list[np.ndarray]:
        """Return the next trainable weights."""
        taken, self._weights = self._weights[:count], self._weights[count:]
        return taken

    def take_statistics(self) -> list[np.ndarray]:
        """Return the next moving mean and variance."""
        taken, self._statistics = self._statistics[:2], self._statistics[2:]
        return taken

    @property
    def remaining(self) -> int:
        """The number of weights that no layer has taken yet."""
        return len(self._weights)
