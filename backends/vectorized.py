"""Vectorized training: several models of one architecture, stacked along a leading axis.

Small models leave most of a processor idle, and each is compiled separately. Vectorized, they are compiled once and
compute in the same operations. Each model keeps its own weights, optimizer, random numbers and samples; the results
equal those of separate training up to rounding.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class InitialState:
    """The initial values of a model's variables, group by group, in the order of the variables."""

    trainable: list[np.ndarray]
    non_trainable: list[np.ndarray]
    optimizer: list[np.ndarray]

    @classmethod
    def of(cls, model: Any) -> InitialState:
        """Return the state of a compiled Keras model whose optimizer is built."""
        groups = model.trainable_variables, model.non_trainable_variables, model.optimizer.variables
        return cls(*([np.array(variable.numpy()) for variable in group] for group in groups))


class VectorizedModels(ABC):
    """Several models of one architecture, trained together.

    Args:
        model: any one of them, compiled, with its metrics and its optimizer built; it is not changed.
        starts: the initial state of each model.
        x, y: (n, …) prepared samples and targets, from which each model takes its own.
        batch_size: samples per step; a model's last step has the remainder.
    """

    def __init__(self, model: Any, starts: Sequence[InitialState], x: np.ndarray, y: np.ndarray, batch_size: int):
        self.model = model
        self.count = len(starts)
        self.batch_size = batch_size

    @abstractmethod
    def epoch(self, orders: Sequence[np.ndarray]) -> list[dict[str, float]]:
        """Train one epoch and return each model's metrics.

        Args:
            orders: for each model, the indices of its samples in the order of training, (n,) integers. The lengths
                may differ, but not the number of full batches.
        """

    @abstractmethod
    def outputs(self, indices: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Return the outputs of each model for samples of its own.

        Args:
            indices: for each model, the indices of the samples, (n,) integers.
        """

    @abstractmethod
    def weights(self) -> list[list[np.ndarray]]:
        """Return the current values of each model's `trainable_variables`."""
