"""What a native loop trains: prepared data, initial weights, and the settings of the training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ...errors import OptionError
from ..real import NAMES as REAL

BOOK = ("dense/one-hidden", "cnn/pooling", "cnn/striding", "rnn/lstm", "rnn/three-lstm", "text/letters")
RECIPES = (*BOOK, *REAL)
POOLING = "cnn/pooling"

CROSS_ENTROPY, BINARY, SQUARED = "sparse_categorical_crossentropy", "binary_crossentropy", "mean_squared_error"


@dataclass(frozen=True)
class NativeTask:
    """The training task of a native loop.

    Attributes:
        recipe: one of `RECIPES`.
        weights: the Keras model's initial trainable weights, float32, in Keras' order and layout, channels last.
        statistics: its initial moving means and variances, (channels,) float32 each, in Keras' order.
        x: (n, …) prepared samples, float32, or int32 for tokens; a dictionary by name for several inputs.
        y: (n,) integer classes, or (n, values) float32.
        loss: Keras' name of it: `CROSS_ENTROPY`, `BINARY` or `SQUARED`.
        batch_size: samples in a step; the last step has the rest.
        optimizer: `adam`, `rmsprop` or `sgd`.
        learning_rate: of the optimizer.
        options: the recipe's options, with their defaults.
        accuracy: whether each step also counts the correct predictions, as Keras does for the metric.
    """

    recipe: str
    weights: Sequence[np.ndarray]
    statistics: Sequence[np.ndarray]
    x: np.ndarray | Mapping[str, np.ndarray]
    y: np.ndarray
    loss: str
    batch_size: int
    optimizer: str
    learning_rate: float
    options: Mapping[str, Any] = field(default_factory=dict)
    accuracy: bool = False

    def __post_init__(self) -> None:
        if self.recipe not in RECIPES:
            raise OptionError(f"{self.recipe} has no native loop (there are: {', '.join(RECIPES)})")

    def __len__(self) -> int:
        """Return the number of samples."""
        return len(self.y)

    @property
    def dropout(self) -> float:
        """The dropout rate, 0 for a model without dropout."""
        return float(self.options.get("dropout", 0.0))

    @property
    def strides(self) -> int:
        """The strides of the convolutions of `cnn/…`."""
        return 1 if self.recipe == POOLING else 2

    @property
    def limits_norms(self) -> bool:
        """Whether the norms of the convolutions' kernels are limited after each step."""
        return self.recipe.startswith("cnn/")

    @property
    def is_convolutional(self) -> bool:
        """Whether there are convolutions, whose kernels alone have four axes."""
        return any(weight.ndim == 4 for weight in self.weights)

    def batches(self, order: np.ndarray) -> list[np.ndarray]:
        """Return the sample indices of each step."""
        return [order[first : first + self.batch_size] for first in range(0, len(order), self.batch_size)]

    def full_batches(self, order: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the sample indices of the full batches, (steps, batch size), and those of the rest."""
        steps = len(order) // self.batch_size
        whole = order[: steps * self.batch_size]
        return whole.reshape(steps, self.batch_size), order[len(whole) :]
