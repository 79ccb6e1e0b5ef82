"""The training loop in PyTorch: one eager step after the other, or compiled losses and a fused optimizer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from ..loop import NativeLoop
from ..task import NativeTask
from .batches import Batches
from .keras_layout import statistics_of, weights_of
from .losses import loss_and_correct
from .models import MODULES
from .optimizers import make_optimizer
from .pictures import limit_norms


class Loop(NativeLoop):
    _fuses: bool | None = None  # PyTorch's choice
    _memory_format = torch.contiguous_format

    def __init__(self, task: NativeTask):
        self._task = task
        device = "cuda" if torch.cuda.is_available() else "cpu"
        self._batches = Batches(task, device, self._memory_format)
        self._module = MODULES[task.recipe](task).to(device, memory_format=self._memory_format)
        parameters = [parameter for parameter in self._module.parameters() if parameter.requires_grad]
        self._optimizer = make_optimizer(task, parameters, self._fuses)
        self._limited = [each for each in parameters if task.limits_norms and each.ndim == 4]
        self._loss = self._loss_of
        self._update: Callable[[], Any] = self._optimizer.step

    def train_epoch(self, order: np.ndarray) -> float:
        total, correct = self._batches.zeros(), self._batches.zeros()
        for x, y in self._batches(order):
            loss, correct_here = self._loss(x, y)
            self._optimizer.zero_grad()
            loss.backward()
            self._update()
            limit_norms(self._limited)
            total += loss.detach() * len(y)
            correct += correct_here
        return float(total) / len(order)

    def weights(self) -> list[np.ndarray]:
        return weights_of(self._module, self._task)

    def statistics(self) -> list[np.ndarray]:
        return statistics_of(self._module)

    def _loss_of(self, x: Any, y: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor | int]:
        """Return the mean loss, and the number of correct predictions."""
        return loss_and_correct(self._task, self._module(x), y)


class CompiledLoop(Loop):
    """The loss and its gradients by `torch.compile`, the optimizer as one fused or compiled update, channels last."""

    _fuses = True
    _memory_format = torch.channels_last

    def __init__(self, task: NativeTask):
        super().__init__(task)
        # One compilation for full batches, another for the smaller last one.
        self._loss = torch.compile(self._loss_of, dynamic=False, isolate_recompiles=True)
        if task.optimizer == "rmsprop":
            self._update = torch.compile(self._optimizer.step, isolate_recompiles=True)
