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

from ..epochs import Data, EpochRunner, Plan, has_own_step, has_recurrence, layers_of, optimizers_of
from ..nests import Nest, arrays_of, flatten, map_arrays
from ..runtime import snapshot, variables_of
from .opaque import make_opaque, release_calls

# Inputs, targets and, optionally, sample weights: a tensor or a nest of tensors each.
TensorData = tuple[Nest, ...]
# Trains the steps from start up to stop: (data, order, start, stop), where data holds all samples.
# It returns what the last step has returned, if the model has a step of its own.
ReplaySteps = Callable[[TensorData, torch.Tensor, int, int], dict[str, torch.Tensor]]

# From this number of units oneDNN's recurrent kernel is faster than PyTorch's separate operations.
_MIN_ONEDNN_UNITS = 64


class TorchEpochs(EpochRunner):
    def __init__(self, model: Any, data: Data, batch_size: int, plan: Plan):
        super().__init__(model, data, batch_size, plan)
        self.replace_data(data)
        self._replay: ReplaySteps | None = None
        self._capture_pending = plan.jit

    def replace_data(self, data: Data) -> None:
        self._data = map_arrays(keras.ops.convert_to_tensor, data)

    def begin(self, order: np.ndarray) -> None:
        self._order = torch.as_tensor(order, device=_device(self._data))

    def run(self, start: int, stop: int) -> None:
        if self._capture_pending and self.full_batches:
            self._replay, self._capture_pending = capture(self.model, self._batch(0)), False
        if self._replay:
            last = min(stop, self.full_batches)
            if start < last:
                self.logs = self._replay(self._data, self._order, start, last)
            start = max(start, last)
        for step in range(start, stop):
            self.logs = self._own_logs(self.model.train_step(self._batch(step)))

    def _batch(self, step: int) -> TensorData:
        return self._rows(self._order[step * self.batch_size : (step + 1) * self.batch_size])

    def _rows(self, rows: torch.Tensor | slice) -> TensorData:
        return map_arrays(lambda part: part[rows], self._data)  # type: ignore[no-any-return]

    def _own_logs(self, logs: Any) -> dict[str, Any]:
        own = super()._own_logs(logs).items()
        return {name: value.detach() if isinstance(value, torch.Tensor) else value for name, value in own}

    def end(self) -> None:
        """Do nothing: the steps write into the variables themselves."""

    def evaluate(self) -> None:
        with torch.no_grad():
            for first in range(0, self.samples, self.batch_size):
                self.logs = self._own_logs(self.model.test_step(self._rows(slice(first, first + self.batch_size))))


def _device(data: TensorData) -> torch.device:
    device: torch.device = arrays_of(data)[0].device
    return device


def capture(model: Any, batch: TensorData) -> ReplaySteps | None:
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

    def forward(self, data: list[torch.Tensor], order: torch.Tensor, start: int, stop: int) -> torch.Tensor:
        result = order
        for number in range(start, stop):
            indices = order[number * self.batch_size : (number + 1) * self.batch_size]
            result = self.step([part[indices] for part in data])
        return result


class _ListStep(torch.nn.Module):
    """A captured step that takes its tensors as a list: TorchScript supports no optional number of arguments."""

    def __init__(self, operations: torch.nn.Module):
        super().__init__()
        self.operations = operations

    def forward(self, tensors: list[torch.Tensor]) -> torch.Tensor:
        result: torch.Tensor = self.operations(*tensors)
        return result


def _trace(model: Any, batch: TensorData) -> ReplaySteps:
    tensors, as_batch = flatten(batch)
    returns_logs, names = has_own_step(model), list[str]()

    def step(*tensors: torch.Tensor) -> torch.Tensor:
        logs = model.train_step(as_batch(tensors))
        if not returns_logs:
            return tensors[0]
        names[:] = logs
        return torch.stack([torch.as_tensor(value, dtype=torch.float32) for value in logs.values()])

    operations = make_fx(step)(*tensors)
    opaque_calls = make_opaque(operations)
    with torch.no_grad():
        traced = torch.jit.trace(_ListStep(operations), (tensors,), check_trace=False)
        loop: Any = torch.jit.script(_Loop(traced, len(tensors[0])))

    def replay(data: TensorData, order: torch.Tensor, start: int, stop: int) -> dict[str, torch.Tensor]:
        with torch.no_grad():
            values = loop(arrays_of(data), order, start, stop)
        return dict(zip(names, values, strict=True)) if names else {}

    weakref.finalize(replay, release_calls, opaque_calls)
    return replay


def _replay_matches(model: Any, steps: ReplaySteps, batch: TensorData) -> bool:
    """Return whether two replayed steps give the same variables as two steps of the model itself."""
    rates = [optimizer.learning_rate for optimizer in optimizers_of(model)]
    variables = variables_of(model)
    put_back = snapshot(variables)
    ends = []
    order = torch.arange(len(arrays_of(batch)[0]), device=_device(batch))
    for run in (lambda: model.train_step(batch), lambda: steps(batch, order, 0, 1)):
        put_back()
        for rate in rates:
            if any(rate is variable for variable in variables):  # a schedule's learning rate is not a variable
                rate.assign(rate * 0.5)
        run()
        run()
        ends.append([np.array(variable.numpy()) for variable in variables])
    return all(np.allclose(one, other, rtol=1e-6, atol=1e-8) for one, other in zip(*ends, strict=True))
