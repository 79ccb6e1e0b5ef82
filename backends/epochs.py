"""What an epoch is to a framework: many steps in few calls, over data that lie on the device already.

`keras.Model.fit` goes through Python, an iterator and two dozen small calls for every step; for a small model that is
nearly all of its time. Each room (`tensorflow/`, `jax/`, `torch/`) runs the model's own `train_step` in its own kind
of loop instead, in `epochs.py`.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from . import keras_internals

# What a step takes its batch from: inputs, targets and perhaps weights.
Data = tuple[np.ndarray, ...]


@dataclass(frozen=True)
class Plan:
    """How to run an epoch's steps.

    Attributes:
        name: what it is called, unique within a backend.
        loop: all steps of a call in one compiled loop, not one call a step.
        jit: compiled by XLA or by PyTorch's compiler.
    """

    name: str
    loop: bool
    jit: bool


class EpochRunner(ABC):
    """Runs a compiled Keras model's epochs. Each is `begin`, any number of `run`, and `end`.

    Between `begin` and `end` the model's variables may be out of date: their values are on their way.

    Args:
        model: compiled, with one input, its metrics built.
        data: (n, …) arrays: prepared samples, targets and, where samples count differently, their weights.
        batch_size: samples in a step; the last step has what is left.
        plan: one of the runtime's `plans`.
    """

    def __init__(self, model: Any, data: Data, batch_size: int, plan: Plan):
        self.model = model
        self.plan = plan
        self.batch_size = batch_size
        self.samples = len(data[0])
        self.full_batches = self.samples // batch_size
        self.steps = math.ceil(self.samples / batch_size)

    def reset(self) -> None:
        """Let the model's metrics begin anew, as they do before each epoch."""
        self.model.reset_metrics()

    @abstractmethod
    def begin(self, order: np.ndarray) -> None:
        """Make ready for an epoch that takes the samples in this order, (n,) integers."""

    @abstractmethod
    def run(self, start: int, stop: int) -> None:
        """Train the steps from `start` up to but not including `stop`; done when this returns."""

    def loss(self) -> float:
        """The mean loss of the epoch's steps so far; between `begin` and `end`."""
        return self.results()["loss"]

    def results(self) -> dict[str, float]:
        """What the model's metrics say, by what its variables hold."""
        return {name: float(value) for name, value in self.model.get_metrics_result().items()}

    @abstractmethod
    def end(self) -> None:
        """Bring the model's variables up to date."""

    @abstractmethod
    def evaluate(self) -> None:
        """Go through the data once in their own order without training: what the model's metrics then hold is new."""


def layers_of(model: Any) -> list[Any]:
    """The layers of a Keras model, each once, those of nested models and the wrapped ones included."""
    layers: dict[int, Any] = {}
    waiting = list(model.layers)
    while waiting:
        layer = waiting.pop(0)
        if id(layer) in layers:
            continue
        layers[id(layer)] = layer
        wrapped = (getattr(layer, name, None) for name in ("layer", "forward_layer", "backward_layer"))
        waiting += [*getattr(layer, "layers", ()), *(inner for inner in wrapped if inner is not None)]
    return list(layers.values())


def variable_groups(model: Any) -> tuple[list[Any], ...]:
    """All that training a Keras model changes: weights, other variables such as seeds, the optimizer's, the metrics'.

    In the order in which Keras' `train_step` takes and returns them under JAX; the same for every copy of the model.
    """
    return (
        model.trainable_variables,
        model.non_trainable_variables,
        model.optimizer.variables,
        model.metrics_variables,
    )


def assign(variables: Sequence[Any], values: Sequence[Any]) -> None:
    """Let each of these Keras variables hold the value at its place."""
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)


def has_convolutions(model: Any) -> bool:
    """Whether some layer is a convolution."""
    return any("Conv" in type(layer).__name__ for layer in layers_of(model))


def has_recurrence(model: Any) -> bool:
    """Whether some layer steps through a sequence."""
    import keras

    return any(isinstance(layer, keras.layers.RNN | keras.layers.Bidirectional) for layer in layers_of(model))


def recurrence_of(layer: Any) -> Any:
    """`keras.layers.LSTM` or `GRU` where the layer loops and steps as that does, else None.

    A layer of a user's own may inherit from either, as long as it keeps Keras' loop and Keras' cell.
    """
    import keras

    known = {keras.layers.LSTM: keras.layers.LSTMCell, keras.layers.GRU: keras.layers.GRUCell}
    kind = next((kind for kind in known if isinstance(layer, kind)), None)
    own = kind is None or type(layer).inner_loop is not kind.inner_loop or "inner_loop" in vars(layer)
    return None if own or type(layer.cell) is not known[kind] else kind


def build_metrics(model: Any, x: np.ndarray, y: np.ndarray) -> None:
    """Create the variables of a compiled model's optimizer and metrics, the metrics reset."""
    keras_internals.build_metrics(model, x, y)
    model.reset_metrics()
