"""The optimizers in PyTorch, with Keras' defaults."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import nn

from ..keras_defaults import BETA_1, BETA_2, EPSILON, RHO
from ..optimizer_settings import OptimizerSettings


def make_optimizer(
    task: OptimizerSettings, parameters: Sequence[nn.Parameter], fused: bool | None
) -> torch.optim.Optimizer:
    """Return the optimizer of a task.

    Args:
        fused: whether one operation updates all parameters; None for PyTorch's choice. RMSprop has no such operation.
    """
    if task.optimizer == "adam":
        return Adam(parameters, task.learning_rate, (BETA_1, BETA_2), EPSILON, fused=fused)
    if task.optimizer == "sgd":
        return torch.optim.SGD(parameters, task.learning_rate, fused=fused)
    return RMSprop(parameters, task.learning_rate)


class Adam(torch.optim.Adam):
    """Adam as in Keras, which adds epsilon to the root of the second moment before that is corrected, PyTorch after.

    The difference is that of a larger epsilon in the first steps.
    """

    _steps = 0

    def step(self, closure: None = None) -> None:
        self._steps += 1
        for group in self.param_groups:
            group["eps"] = EPSILON / math.sqrt(1 - BETA_2**self._steps)
        super().step()


class RMSprop(torch.optim.Optimizer):
    """RMSprop as in Keras, with epsilon under the root; `torch.optim.RMSprop` adds it outside, so its steps differ."""

    def __init__(self, parameters: Sequence[nn.Parameter], learning_rate: float):
        super().__init__(parameters, {"lr": learning_rate})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:
        for group in self.param_groups:
            for parameter in group["params"]:
                state, gradient = self.state[parameter], parameter.grad
                second = state.setdefault("second", torch.zeros_like(parameter))
                second.mul_(RHO).addcmul_(gradient, gradient, value=1 - RHO)
                parameter.addcdiv_(gradient, (second + EPSILON).sqrt_(), value=-group["lr"])
