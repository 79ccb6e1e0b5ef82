"""Epochs under PyTorch: eager steps without a data iterator, or one step that is captured and replayed.

Keras' eager step under PyTorch spends two milliseconds in Python for any model; a small model computes for a tenth of
that. `make_fx` records the operations of one step, forward, backward and optimizer, on the variables themselves.
TorchScript then runs the recording without the layers' Python code. No compiler is needed. The operations are the same,
so the results are equal bit by bit.
"""

from __future__ import annotations

import warnings
import weakref
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import torch
from torch.fx.experimental.proxy_tensor import make_fx

from ..epochs import Data, EpochRunner, Plan, has_recurrence, layers_of
from ..runtime import snapshot, variables_of
from .opaque import make_opaque, release_calls

TensorBatch = tuple[torch.Tensor, ...]
# Trains the steps from start up to stop: (data, order, start, stop), where data holds all samples.
ReplaySteps = Callable[[TensorBatch, torch.Tensor, int, int], None]

# From this number of units oneDNN's recurrent kernel is faster than PyTorch's separate operations.
_MIN_ONEDNN_UNITS = 64


class TorchEpochs(EpochRunner):
    def __init__(self, model: Any, data: Data, batch_size: int, plan: Plan):
        super().__init__(model, data, batch_size, plan)
        self.replace_data(data)
        self._replay: ReplaySteps | None = None
        self._capture_pending = plan.jit

    def replace_data(self, data: Data) -> None:
        self._data = tuple(keras.ops.convert_to_tensor(array) for array in data)

    def begin(self, order: np.ndarray) -> None:
        self._order = torch.as_tensor(order, device=self._data[0].device)

    def run(self, start: int, stop: int) -> None:
        if self._capture_pending and self.full_batches:
            self._replay, self._capture_pending = capture(self.model, self._batch(0)), False
        if self._replay:
            last = min(stop, self.full_batches)
            self._replay(self._data, self._order, start, last)
            start = max(start, last)
        for step in range(start, stop):
            self.model.train_step(self._batch(step))

    def _batch(self, step: int) -> TensorBatch:
        indices = self._order[step * self.batch_size : (step + 1) * self.batch_size]
        return tuple(part[indices] for part in self._data)

    def end(self) -> None:
        """Do nothing: the steps write into the variables themselves."""

    def evaluate(self) -> None:
        with torch.no_grad():
            for first in range(0, self.samples, self.batch_size):
                self.model.test_step(tuple(part[first : first + self.batch_size] for part in self._data))


def capture(model: Any, batch: TensorBatch) -> ReplaySteps | None:
    """Capture the model's `train_step` for batches of these shapes; return None if a replay would differ.

    A value that Python computes anew in each step, such as a dropout seed, would be a constant in the replay. So two
    replayed steps are compared with two real steps, at another learning rate than that of the capture. All variables
    are restored afterwards.
    """
    put_back = snapshot(variables_of(model))
    try:
        with (
            warnings.catch_warnings(action="ignore"),
            torch.backends.mkldnn.flags(enabled=not has_recurrence(model) or _widest(model) >= _MIN_ONEDNN_UNITS),
            torch.random.fork_rng(),  # capturing must not advance PyTorch's generators
        ):
            steps = _trace(model, batch)
            return steps if _replay_matches(model, steps, batch) else None
    except Exception:  # custom layers may raise anything while they are traced
        return None
    finally:
        put_back()
        model.zero_grad()


def _widest(model: Any) -> int:
    """Return the units of a model's widest recurrent layer, or 0 without one."""
    kinds = keras.layers.LSTM, keras.layers.GRU, keras.layers.SimpleRNN
    return max((layer.units for layer in layers_of(model) if isinstance(layer, kinds)), default=0)


class _Loop(torch.nn.Module):
    """Repeats a captured step. TorchScript compiles this class, so it uses only simple Python."""

    def __init__(self, step: torch.nn.Module, batch_size: int):
        super().__init__()
        self.step = step
        self.batch_size = batch_size

    def forward(self, x: torch.Tensor, y: torch.Tensor, order: torch.Tensor, start: int, stop: int) -> None:
        for number in range(start, stop):
            indices = order[number * self.batch_size : (number + 1) * self.batch_size]
            self.step(x[indices], y[indices])


class _WeightedLoop(_Loop):
    """Repeats a captured step with sample weights; TorchScript supports no optional number of arguments."""

    def forward(  # type: ignore[override]
        self, x: torch.Tensor, y: torch.Tensor, weight: torch.Tensor, order: torch.Tensor, start: int, stop: int
    ) -> None:
        for number in range(start, stop):
            indices = order[number * self.batch_size : (number + 1) * self.batch_size]
            self.step(x[indices], y[indices], weight[indices])


def _trace(model: Any, batch: TensorBatch) -> ReplaySteps:
    def step(*batch: torch.Tensor) -> torch.Tensor:
        model.train_step(batch)
        return batch[0]

    operations = make_fx(step)(*batch)
    opaque_calls = make_opaque(operations)
    kind = _Loop if len(batch) == 2 else _WeightedLoop
    with torch.no_grad():
        loop: Any = torch.jit.script(kind(torch.jit.trace(operations, batch, check_trace=False), len(batch[0])))

    def replay(data: TensorBatch, order: torch.Tensor, start: int, stop: int) -> None:
        with torch.no_grad():
            loop(*data, order, start, stop)

    weakref.finalize(replay, release_calls, opaque_calls)
    return replay


def _replay_matches(model: Any, steps: ReplaySteps, batch: TensorBatch) -> bool:
    """Return whether two replayed steps give the same variables as two steps of the model itself."""
    rate = model.optimizer.learning_rate
    variables = variables_of(model)
    put_back = snapshot(variables)
    ends = []
    order = torch.arange(len(batch[0]), device=batch[0].device)
    for run in (lambda: model.train_step(batch), lambda: steps(batch, order, 0, 1)):
        put_back()
        if any(rate is variable for variable in variables):  # a schedule's learning rate is not a variable
            rate.assign(rate * 0.5)
        run()
        run()
        ends.append([np.array(variable.numpy()) for variable in variables])
    return all(np.allclose(one, other, rtol=1e-6, atol=1e-8) for one, other in zip(*ends, strict=True))
