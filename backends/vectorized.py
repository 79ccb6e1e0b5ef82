"""What it is to train several models of one architecture together: one more axis, in front, counts the models.

Small models leave most of a processor idle, and each compiles for itself. Together they compile once and compute in
the same operations. Each still has its own weights, its own optimizer, its own draws and its own samples; what comes
out is what separate training gives, up to rounding.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class InitialState:
    """What a model begins with: the values of its variables, group by group, in the order of the variables."""

    trainable: list[np.ndarray]
    non_trainable: list[np.ndarray]
    optimizer: list[np.ndarray]

    @classmethod
    def of(cls, model: Any) -> InitialState:
        """Of a compiled Keras model whose optimizer is built."""
        groups = model.trainable_variables, model.non_trainable_variables, model.optimizer.variables
        return cls(*([np.array(variable.numpy()) for variable in group] for group in groups))


class VectorizedModels(ABC):
    """Several models, trained together.

    Args:
        model: any of them, compiled, its metrics and its optimizer built; it stays as it is.
        starts: what each begins with.
        x, y: (n, …) prepared samples and targets that all of them take theirs from.
        batch_size: samples in a step; a model's last step has what is left.
    """

    def __init__(self, model: Any, starts: Sequence[InitialState], x: np.ndarray, y: np.ndarray, batch_size: int):
        self.model = model
        self.count = len(starts)
        self.batch_size = batch_size

    @abstractmethod
    def epoch(self, orders: Sequence[np.ndarray]) -> list[dict[str, float]]:
        """Train one epoch and return each model's metrics.

        Args:
            orders: for each model the samples that it takes, in their order, (n,) integers each. Their lengths may
                differ, but not the number of whole batches in them.
        """

    @abstractmethod
    def outputs(self, indices: Sequence[np.ndarray]) -> list[np.ndarray]:
        """What each model answers to samples of its own.

        Args:
            indices: for each model which samples, (n,) integers.
        """

    @abstractmethod
    def weights(self) -> list[list[np.ndarray]]:
        """The values of each model's `trainable_variables`, as they are now."""
