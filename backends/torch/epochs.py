"""Epochs under PyTorch: eager steps without a data iterator, or one step that is captured and run again and again.

Keras' eager step under PyTorch spends two milliseconds in Python for any model; a small model computes for a tenth of
that.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import torch

from ..epochs import Data, EpochRunner, Plan
from ..nests import arrays_of, map_arrays
from . import waiting
from .captured_steps import ReplaySteps, TensorData, capture, compile_steps

STEPS = Plan("steps", loop=False, jit=False)
CAPTURED = Plan("captured", loop=False, jit=True)
COMPILED = Plan("compiled", loop=False, jit=True)


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
        waiting.adapt()
        if self._capture_pending and self.full_batches:
            make_steps = compile_steps if self.plan == COMPILED else capture
            self._replay, self._capture_pending = make_steps(self.model, self._batch(0)), False
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
