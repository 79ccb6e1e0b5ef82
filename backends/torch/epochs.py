"""Epochs under PyTorch: its own eager steps without an iterator between them, or one step captured and replayed.

Keras' eager step under PyTorch spends two milliseconds in Python whatever the model; a small model computes for a tenth
of that. `make_fx` writes down the operations of one step, forward, backward and optimizer, with the variables
themselves as what they read and write; TorchScript then runs them without the layers' Python. No compiler is needed.
The arithmetic is the same, operation by operation, so the results are the same to the bit.
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

from ..epochs import Data, Epochs, Plan, layers_of, recurs
from ..runtime import remember, variables_of
from .opaque import forget, hide

Batch = tuple[torch.Tensor, ...]
# Trains steps from one number up to another: (data, order, start, stop), all samples in the tensors of data.
Steps = Callable[[Batch, torch.Tensor, int, int], None]

# Units from which oneDNN's recurrent kernel is faster than PyTorch's own operations, one after the other.
_WIDE = 64


class TorchEpochs(Epochs):
    def __init__(self, model: Any, data: Data, batch_size: int, plan: Plan):
        super().__init__(model, data, batch_size, plan)
        self._data = tuple(keras.ops.convert_to_tensor(array) for array in data)
        self._replay: Steps | None = None
        self._untried = plan.jit

    def begin(self, order: np.ndarray) -> None:
        self._order = torch.as_tensor(order, device=self._data[0].device)

    def run(self, start: int, stop: int) -> None:
        if self._untried and self.whole_steps:
            self._replay, self._untried = capture(self.model, self._batch(0)), False
        if self._replay:
            last = min(stop, self.whole_steps)
            self._replay(self._data, self._order, start, last)
            start = max(start, last)
        for step in range(start, stop):
            self.model.train_step(self._batch(step))

    def _batch(self, step: int) -> Batch:
        chosen = self._order[step * self.batch_size : (step + 1) * self.batch_size]
        return tuple(part[chosen] for part in self._data)

    def end(self) -> None:
        """The steps have written into the variables themselves."""

    def evaluate(self) -> None:
        with torch.no_grad():
            for first in range(0, self.samples, self.batch_size):
                self.model.test_step(tuple(part[first : first + self.batch_size] for part in self._data))


def capture(model: Any, batch: Batch) -> Steps | None:
    """The model's `train_step` for batches of these shapes, or None where a replay would not do the same.

    Whatever Python decides anew in each step, such as the seed of a dropout, would be decided once and for all. So the
    replay is compared with the step itself, twice, with another learning rate than the one that it was captured at;
    all variables are put back afterwards.
    """
    put_back = remember(variables_of(model))
    try:
        with (
            warnings.catch_warnings(action="ignore"),
            torch.backends.mkldnn.flags(enabled=not recurs(model) or _widest(model) >= _WIDE),
            torch.random.fork_rng(),  # what PyTorch draws itself must not depend on whether a step was captured
        ):
            steps = _traced(model, batch)
            return steps if _replays(model, steps, batch) else None
    except Exception:  # whatever a user's layers do that cannot be written down
        return None
    finally:
        put_back()
        model.zero_grad()


def _widest(model: Any) -> int:
    """The units of a model's widest recurrent layer, 0 without any."""
    kinds = keras.layers.LSTM, keras.layers.GRU, keras.layers.SimpleRNN
    return max((layer.units for layer in layers_of(model) if isinstance(layer, kinds)), default=0)


class _Loop(torch.nn.Module):
    """A captured step, again and again; compiled by TorchScript, hence its plain words."""

    def __init__(self, step: torch.nn.Module, batch_size: int):
        super().__init__()
        self.step = step
        self.batch_size = batch_size

    def forward(self, x: torch.Tensor, y: torch.Tensor, order: torch.Tensor, start: int, stop: int) -> None:
        for number in range(start, stop):
            chosen = order[number * self.batch_size : (number + 1) * self.batch_size]
            self.step(x[chosen], y[chosen])


class _WeightedLoop(_Loop):
    """The same of a step that is given weights too; TorchScript has no word for one argument more or less."""

    def forward(  # type: ignore[override]
        self, x: torch.Tensor, y: torch.Tensor, weight: torch.Tensor, order: torch.Tensor, start: int, stop: int
    ) -> None:
        for number in range(start, stop):
            chosen = order[number * self.batch_size : (number + 1) * self.batch_size]
            self.step(x[chosen], y[chosen], weight[chosen])


def _traced(model: Any, batch: Batch) -> Steps:
    def step(*batch: torch.Tensor) -> torch.Tensor:
        model.train_step(batch)
        return batch[0]

    operations = make_fx(step)(*batch)
    hidden = hide(operations)
    kind = _Loop if len(batch) == 2 else _WeightedLoop
    with torch.no_grad():
        loop: Any = torch.jit.script(kind(torch.jit.trace(operations, batch, check_trace=False), len(batch[0])))

    def replay(data: Batch, order: torch.Tensor, start: int, stop: int) -> None:
        with torch.no_grad():
            loop(*data, order, start, stop)

    weakref.finalize(replay, forget, hidden)
    return replay


def _replays(model: Any, steps: Steps, batch: Batch) -> bool:
    """Whether two replayed steps end where two steps of the model itself end."""
    rate = model.optimizer.learning_rate
    variables = variables_of(model)
    put_back = remember(variables)
    ends = []
    order = torch.arange(len(batch[0]), device=batch[0].device)
    for run in (lambda: model.train_step(batch), lambda: steps(batch, order, 0, 1)):
        put_back()
        if any(rate is variable for variable in variables):  # a schedule gives what is no variable
            rate.assign(rate * 0.5)
        run()
        run()
        ends.append([np.array(variable.numpy()) for variable in variables])
    return all(np.allclose(one, other, rtol=1e-6, atol=1e-8) for one, other in zip(*ends, strict=True))
