"""The same training written by hand in each framework, as an expert would without Keras.

It is the baseline for the overhead of Keras and trivium. There is one module per framework, named like the backend.
Each starts from the Keras model's weights and learns what Keras learns; tests/benchmarks/test_overhead.py proves it.
"""

from __future__ import annotations

import importlib
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ...errors import OptionError

RECIPES = ("dense/one-hidden", "cnn/pooling", "cnn/striding", "rnn/lstm", "rnn/three-lstm", "text/letters")
POOLING = "cnn/pooling"

# Keras' defaults for Adam and RMSprop, and the maximum norm of the kernels of `cnn/…`.
BETA_1, BETA_2, RHO, EPSILON, MAX_NORM = 0.9, 0.999, 0.9, 1e-7, 3.0
# The "same" padding (before, after) of an image axis, by strides: for kernel 5 over 28 pixels, and 3 over 14.
SAME_PADDING = {1: ((2, 2), (1, 1)), 2: ((1, 2), (0, 1))}


@dataclass(frozen=True)
class NativeTask:
    """The training task of a native loop.

    Attributes:
        recipe: one of `RECIPES`.
        weights: the Keras model's initial weights, float32, in Keras' order and layout, channels last.
        x: (n, …) prepared samples, float32; of `text/letters` (n, window) int32.
        y: (n,) integer classes, or (n, 1) float32 values.
        batch_size: samples in a step; the last step has the rest.
        optimizer: `adam` or `rmsprop`.
        learning_rate: of the optimizer.
        dropout: the dropout rate of `cnn/…`.
    """

    recipe: str
    weights: Sequence[np.ndarray]
    x: np.ndarray
    y: np.ndarray
    batch_size: int
    optimizer: str
    learning_rate: float
    dropout: float = 0.0

    def __post_init__(self) -> None:
        if self.recipe not in RECIPES:
            raise OptionError(f"{self.recipe} has no native loop (there are: {', '.join(RECIPES)})")

    @property
    def family(self) -> str:
        return self.recipe.partition("/")[0]

    @property
    def strides(self) -> int:
        return 1 if self.recipe == POOLING else 2

    @property
    def classifies(self) -> bool:
        return self.y.dtype.kind in "iu"

    def batches(self, order: np.ndarray) -> list[np.ndarray]:
        """Return the sample indices of each step."""
        return [order[first : first + self.batch_size] for first in range(0, len(order), self.batch_size)]


class NativeLoop(ABC):
    """A hand-written loop that trains a task epoch by epoch."""

    @abstractmethod
    def __init__(self, task: NativeTask): ...

    @abstractmethod
    def train_epoch(self, order: np.ndarray) -> float:
        """Train on the samples in this order, (n,) integers; wait for the result, and return the mean loss."""


def load(backend: str, task: NativeTask) -> NativeLoop:
    """Build the loop of a backend for a task; this imports the framework."""
    module = importlib.import_module(f".{backend}", __package__)
    return module.Loop(task)  # type: ignore[no-any-return]
