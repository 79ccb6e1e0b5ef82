"""The interface of a hand-written loop."""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np

from .task import NativeTask


class NativeLoop(ABC):
    """A hand-written loop that trains a task epoch by epoch."""

    @abstractmethod
    def __init__(self, task: NativeTask): ...

    @abstractmethod
    def train_epoch(self, order: np.ndarray) -> float:
        """Train on the samples in this order, (n,) integers; wait for the result, and return the mean loss."""

    @abstractmethod
    def weights(self) -> list[np.ndarray]:
        """Return the trained weights, in Keras' order and layout."""

    @abstractmethod
    def statistics(self) -> list[np.ndarray]:
        """Return the moving means and variances, in Keras' order."""
