"""The same training written by hand in each framework, as an expert would without Keras.

It is the baseline for the overhead of Keras and trivium. There is one module per framework, named like the backend.
Each has two loops: `Loop` is what most experts write, one step that is called from Python; `CompiledLoop` is what the
best of them write where every millisecond counts, with more of the work inside a compiled call. Both start from the
Keras model's weights and learn what Keras learns; tests/benchmarks/test_overhead.py proves it.
"""

from __future__ import annotations

import importlib
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import TYPE_CHECKING

import numpy as np

from ...errors import OptionError

if TYPE_CHECKING:
    import keras

RECIPES = ("dense/one-hidden", "cnn/pooling", "cnn/striding", "rnn/lstm", "rnn/three-lstm", "text/letters")
POOLING = "cnn/pooling"

# Keras' defaults for Adam and RMSprop, and the maximum norm of the kernels of `cnn/…`.
BETA_1, BETA_2, RHO, EPSILON, MAX_NORM = 0.9, 0.999, 0.9, 1e-7, 3.0
# The "same" padding (before, after) of an image axis, by strides: for kernel 5 over 28 pixels, and 3 over 14.
SAME_PADDING = {1: ((2, 2), (1, 1)), 2: ((1, 2), (0, 1))}


@dataclass(frozen=True)
class FitSettings:
    """Settings of `keras.Model.fit` that cost speed or save it.

    Attributes:
        steps_per_execution: steps in a call, between which Keras looks at nothing.
        jit_compile: whether XLA, or PyTorch's compiler, compiles the step.
    """

    steps_per_execution: int = 1
    jit_compile: bool = False

    @property
    def title(self) -> str:
        return f"{self.steps_per_execution} in a call{', compiled' if self.jit_compile else ''}"


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

    def full_batches(self, order: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the sample indices of the full batches, (steps, batch size), and those of the rest."""
        steps = len(order) // self.batch_size
        whole = order[: steps * self.batch_size]
        return whole.reshape(steps, self.batch_size), order[len(whole) :]


class NativeLoop(ABC):
    """A hand-written loop that trains a task epoch by epoch."""

    @abstractmethod
    def __init__(self, task: NativeTask): ...

    @abstractmethod
    def train_epoch(self, order: np.ndarray) -> float:
        """Train on the samples in this order, (n,) integers; wait for the result, and return the mean loss."""


def fit_settings(backend: str, model: keras.Model) -> list[FitSettings]:
    """Return the settings of `keras.Model.fit` that an expert would try on a backend for a model."""
    return _room(backend).fit_settings(model)  # type: ignore[no-any-return]


def own_step_model(backend: str) -> type[keras.Model]:
    """Return a subclass of `keras.Sequential` with a training step as Keras' guide writes it for a backend."""
    return _room(backend).own_step_model()  # type: ignore[no-any-return]


def load(backend: str, task: NativeTask, *, compiled: bool = False) -> NativeLoop:
    """Build the loop of a backend for a task, or its compiled one; this imports the framework."""
    room = _room(backend)
    return (room.CompiledLoop if compiled else room.Loop)(task)  # type: ignore[no-any-return]


def _room(backend: str) -> ModuleType:
    return importlib.import_module(f".{backend}", __package__)
