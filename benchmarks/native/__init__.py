"""The same training written by hand in each framework, as somebody would who knows it well and has no Keras.

What Keras and trivium cost is only known beside this. One module a framework, named as the backend is; each starts from
the Keras model's weights and learns what Keras learns, which tests/benchmarks/test_overhead.py proves.
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

# Keras' own: of Adam, of RMSprop, and the norm that `cnn/…` keeps its kernels within.
BETA_1, BETA_2, RHO, EPSILON, MAX_NORM = 0.9, 0.999, 0.9, 1e-7, 3.0
# (before, after) each side of an image: what "same" pads for kernels 5 and 3 over 28 and 14 pixels.
SAME_PADDING = {1: ((2, 2), (1, 1)), 2: ((1, 2), (0, 1))}


@dataclass(frozen=True)
class Task:
    """What a native loop is to train.

    Attributes:
        recipe: one of `RECIPES`.
        weights: those that the Keras model starts with, float32, in its order and layout, channels last.
        x: (n, …) prepared samples, float32; of `text/letters` (n, window) int32.
        y: (n,) integer classes, or (n, 1) float32 values.
        batch_size: samples in a step; the last step has what is left.
        optimizer: `adam` or `rmsprop`.
        learning_rate: of the optimizer.
        dropout: the share of activations that `cnn/…` drops.
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
        """The indices of each step's samples."""
        return [order[first : first + self.batch_size] for first in range(0, len(order), self.batch_size)]


class Native(ABC):
    """Trains a task epoch by epoch."""

    @abstractmethod
    def __init__(self, task: Task): ...

    @abstractmethod
    def epoch(self, order: np.ndarray) -> float:
        """Train on the samples in this order, (n,) integers; the mean loss, which is there when this returns."""


def load(backend: str, task: Task) -> Native:
    """The task in the hands of a backend's own loop; imports that framework."""
    module = importlib.import_module(f".{backend}", __package__)
    return module.Loop(task)  # type: ignore[no-any-return]
