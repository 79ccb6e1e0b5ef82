"""The training data as tensors on the device, and the batches of an epoch: pictures with the channels first."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch

from ..task import NativeTask

# A tensor, or a dictionary of them for several inputs.
Inputs = Any


class Batches:
    """The batches of an epoch.

    Args:
        task: whose data they are.
        device: where the data are stored.
        memory_format: of pictures; `torch.channels_last` keeps the channels of a pixel together in memory.
    """

    def __init__(self, task: NativeTask, device: str, memory_format: torch.memory_format):
        self._task, self._device = task, device
        self._is_channels_last = memory_format == torch.channels_last
        self._x = _mapped(self._stored, task.x)
        self._y = torch.as_tensor(task.y, device=device)

    def __call__(self, order: np.ndarray) -> Iterator[tuple[Inputs, torch.Tensor]]:
        for indices in self._task.batches(order):
            rows = torch.as_tensor(indices, device=self._device)
            yield _mapped(lambda x, rows=rows: self._channels_first(x[rows]), self._x), self._y[rows]

    def zeros(self) -> torch.Tensor:
        """Return a zero on the device, to sum over the epoch."""
        return torch.zeros((), device=self._device)

    def _stored(self, x: np.ndarray) -> torch.Tensor:
        tensor = torch.as_tensor(x, device=self._device)
        return tensor if tensor.ndim != 4 or self._is_channels_last else tensor.movedim(-1, 1).contiguous()

    def _channels_first(self, x: torch.Tensor) -> torch.Tensor:
        return x.movedim(-1, 1) if x.ndim == 4 and self._is_channels_last else x


def _mapped(function: Any, inputs: Inputs) -> Inputs:
    if isinstance(inputs, Mapping):
        return {name: function(value) for name, value in inputs.items()}
    return function(inputs)
