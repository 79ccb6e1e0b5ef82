"""The interface of an epoch: many steps in few calls, over data that are already on the device.

For every step, `keras.Model.fit` goes through Python, an iterator and two dozen small calls, which takes nearly all
the time of a small model. Instead, the `epochs.py` of each backend (`tensorflow/`, `jax/`, `torch/`) runs the model's
own `train_step` in a loop of its own.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from ..errors import ModelError
from . import keras_internals
from .nests import Nest, sample_count

# The data of an epoch: inputs, targets and, optionally, sample weights. Each is an array, or a nest of arrays where a
# model has several inputs or outputs; the first axis of every array counts the samples.
Data = tuple[Nest, ...]


@dataclass(frozen=True)
class Plan:
    """How to run an epoch's steps.

    Attributes:
        name: unique within a backend.
        loop: whether all steps of a call run in one compiled loop, rather than in one call per step.
        jit: whether XLA or PyTorch's compiler compiles the steps.
    """

    name: str
    loop: bool
    jit: bool


class Evaluator(ABC):
    """Evaluates a compiled Keras model on data, and reads its metrics.

    Args:
        model: compiled, and with its metrics built.
        plan: one of the runtime's `plans`.

    Attributes:
        logs: what the last step returned, if the model's class has a step of its own; else nothing.
    """

    def __init__(self, model: Any, plan: Plan):
        self.model = model
        self.plan = plan
        self.logs: Mapping[str, Any] = {}

    def reset(self) -> None:
        """Reset the model's metrics, as before each epoch."""
        self.logs = {}
        self._reset_metrics()

    def results(self) -> dict[str, float]:
        """Return the model's metrics, computed from its variables.

        As in `keras.Model.fit`, a step of the user's own that returns other values is taken at its word: the result
        is what the last step has returned.
        """
        results = self._metric_results()
        if self.logs and self.logs.keys() != results.keys():
            return as_numbers(self.logs)
        return results

    @abstractmethod
    def evaluate(self) -> None:
        """Evaluate the model on all data, in their own order, without training; this updates the model's metrics."""

    def close(self) -> None:  # noqa: B027 - most evaluators hold nothing
        """Release what is read in the background. Nothing is computed afterwards."""

    def _reset_metrics(self) -> None:
        self.model.reset_metrics()

    def _metric_results(self) -> dict[str, float]:
        return as_numbers(self.model.get_metrics_result())

    @cached_property
    def _has_own_step(self) -> bool:
        return has_own_step(self.model)

    def _own_logs(self, logs: Any) -> dict[str, Any]:
        """Return what a step of the user's own returns; nothing from Keras' own step, which returns the metrics."""
        return dict(logs) if self._has_own_step and isinstance(logs, Mapping) else {}


class EpochRunner(Evaluator):
    """Runs epochs of a compiled Keras model: `begin`, any number of `run`, and `end` for each.

    Between `begin` and `end` the model's variables may be out of date.

    Args:
        model: compiled, and with its metrics built.
        data: (n, …) arrays, or nests of them: prepared samples, targets and, optionally, sample weights.
        batch_size: samples per step; the last step has the remainder.
        plan: one of the runtime's `plans`.

    Attributes:
        ended: whether the data ended before all steps of the epoch were trained.
    """

    ended = False

    def __init__(self, model: Any, data: Data, batch_size: int, plan: Plan):
        super().__init__(model, plan)
        self.batch_size = batch_size
        self.samples = sample_count(data)
        self.full_batches = self.samples // batch_size
        self.steps = math.ceil(self.samples / batch_size)

    @abstractmethod
    def begin(self, order: np.ndarray) -> None:
        """Begin an epoch with the samples in this order, (n,) integers."""

    def foresee(self, order: Callable[[], np.ndarray]) -> None:
        """Note that another epoch will follow, with the samples in the order that `order` returns."""

    @abstractmethod
    def run(self, start: int, stop: int) -> None:
        """Train the steps from `start` up to, not including, `stop`; return when they are computed."""

    def replace_data(self, data: Data) -> None:
        """Replace the data by others of the same shapes and dtypes. To be called before the first step as well."""
        raise NotImplementedError

    def publish(self) -> None:
        """Bring the model's variables up to date in the middle of an epoch, for a callback that looks at them."""

    def adopt(self) -> None:
        """Go on with the model's variables, which a callback may have changed since `publish`."""

    def loss(self) -> float:
        """Return the mean loss of the steps so far, or 0 where there is none. Between `begin` and `end` only."""
        return self.results().get("loss", 0.0)

    @abstractmethod
    def end(self) -> None:
        """Bring the model's variables up to date."""


def as_numbers(metrics: Mapping[str, Any]) -> dict[str, float]:
    """Return the values of metrics as floats.

    Raises:
        ModelError: a metric has several values.
    """
    numbers = {}
    for name, value in metrics.items():
        shape = getattr(value, "shape", ())
        if isinstance(value, Mapping) or math.prod(shape) != 1:
            received = ", ".join(map(str, value)) if isinstance(value, Mapping) else f"shape {tuple(shape)}"
            raise ModelError(
                f"the metric {name} has several values ({received}), and a run records one number of each: average "
                "them in the metric, such as by average='macro', or compile the model with a metric for each"
            )
        numbers[name] = float(value)
    return numbers


def layers_of(model: Any) -> list[Any]:
    """Return each layer of a Keras model once, including the layers of nested models and wrapped layers."""
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


def has_written_losses(model: Any) -> bool:
    """Return whether `written_losses` trains the model: its steps are ours, and return its metrics."""
    return hasattr(model, "turns")


def optimizers_of(model: Any) -> list[Any]:
    """Return the optimizers of a compiled model: one, or one for each turn of written losses."""
    optimizer = getattr(model, "optimizer", None)
    return [] if optimizer is None else list(getattr(optimizer, "parts", {"": optimizer}).values())


def has_own_step(model: Any) -> bool:
    """Return whether the model's class has a `train_step` or a `test_step` of the user's own."""
    import keras

    kind = type(model)
    if has_written_losses(model):
        return False
    # A backend that does not train has none of them.
    steps = ("train_step", "test_step")
    return any(getattr(kind, step, None) is not getattr(keras.Model, step, None) for step in steps)


def variable_groups(model: Any) -> tuple[list[Any], ...]:
    """Return all variables that training changes: weights, others such as seeds, the optimizer's, the metrics'.

    The order is that in which Keras' `train_step` takes and returns them under JAX; it is the same for every copy of
    the model.
    """
    return (
        model.trainable_variables,
        model.non_trainable_variables,
        model.optimizer.variables,
        model.metrics_variables,
    )


def assign(variables: Sequence[Any], values: Sequence[Any]) -> None:
    """Assign each value to the Keras variable at the same position."""
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)


def has_convolutions(model: Any) -> bool:
    """Return whether some layer is a convolution."""
    return any("Conv" in type(layer).__name__ for layer in layers_of(model))


def has_recurrence(model: Any) -> bool:
    """Return whether some layer is recurrent."""
    import keras

    return any(isinstance(layer, keras.layers.RNN | keras.layers.Bidirectional) for layer in layers_of(model))


def recurrence_of(layer: Any) -> Any:
    """Return `keras.layers.LSTM` or `GRU` if the layer computes as that class does, else None.

    A user's class may inherit from either, as long as it keeps Keras' loop and Keras' cell.
    """
    import keras

    known = {keras.layers.LSTM: keras.layers.LSTMCell, keras.layers.GRU: keras.layers.GRUCell}
    kind = next((kind for kind in known if isinstance(layer, kind)), None)
    own = kind is None or type(layer).inner_loop is not kind.inner_loop or "inner_loop" in vars(layer)
    return None if own or type(layer.cell) is not known[kind] else kind


def build_metrics(model: Any, x: Any, y: Any) -> None:
    """Create the variables of a compiled model's optimizer and metrics, the metrics reset.

    Args:
        x, y: a batch of inputs and targets: an array or a nest of arrays each.
    """
    keras_internals.build_metrics(model, x, y)
    model.reset_metrics()
