"""Models of pictures in PyTorch, channels first."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as functional
from torch import nn

from ..keras_defaults import EPSILON, MAX_NORM
from ..task import POOLING, NativeTask
from .initial_weights import InitialWeights
from .layers import batch_norm, convolution, flattened_linear, linear, upscaling


def two_convolutions(task: NativeTask) -> nn.Module:
    """Two convolutions, each followed by pooling or with strides of 2, and three dense layers."""
    weights = InitialWeights(task)
    layers: list[nn.Module] = []
    for _ in range(2):
        layers += [convolution(weights, task.strides), nn.ReLU(), nn.Dropout(task.dropout)]
        layers += [nn.MaxPool2d(2)] if task.recipe == POOLING else []
    layers += [flattened_linear(weights, len(task.weights[3])), nn.ReLU()]
    return nn.Sequential(*layers, linear(weights), nn.ReLU(), linear(weights))


@torch.no_grad()
def limit_norms(kernels: Sequence[nn.Parameter]) -> None:
    """Limit the norms of kernels of convolutions as Keras' MaxNorm does."""
    for kernel in kernels:
        # Keras takes the norm along the first axis of its kernels, which is the height.
        norm = kernel.norm(dim=2, keepdim=True)
        kernel.mul_(norm.clamp(max=MAX_NORM) / (EPSILON + norm))


class Residual(nn.Module):
    """Two convolutions, added to their input; the first has strides of 2 where the filters double."""

    def __init__(self, weights: InitialWeights, strides: int, changes_filters: bool):
        super().__init__()
        self.first = nn.Sequential(convolution(weights, strides, has_bias=False), batch_norm(weights), nn.ReLU())
        self.second = convolution(weights, has_bias=False)
        self.shortcut = convolution(weights, strides, has_bias=False) if changes_filters else nn.Identity()
        self.norm = batch_norm(weights)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return functional.relu(self.shortcut(x) + self.norm(self.second(self.first(x))))


def resnet20(task: NativeTask) -> nn.Module:
    weights, filters = InitialWeights(task), task.options["filters"]
    layers = [convolution(weights, has_bias=False), batch_norm(weights), nn.ReLU()]
    for stage in range(len(filters)):
        for block in range(task.options["blocks"]):
            begins_stage = bool(stage) and not block
            changes_filters = begins_stage and filters[stage] != filters[stage - 1]
            layers.append(Residual(weights, 2 if begins_stage else 1, changes_filters))
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), linear(weights))


class UNet(nn.Module):
    """Convolutions at ever smaller sizes and back, where each size also sees its own features of the way down."""

    def __init__(self, task: NativeTask):
        super().__init__()
        weights, levels = InitialWeights(task), len(task.options["filters"])
        self.down = nn.ModuleList(_convolved_twice(weights) for _ in range(levels - 1))
        self.bottom = _convolved_twice(weights)
        self.up = nn.ModuleList(
            nn.ModuleList([upscaling(weights), _convolved_twice(weights)]) for _ in range(levels - 1)
        )
        self.last = convolution(weights)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        skipped = []
        for convolutions in self.down:
            x = convolutions(x)
            skipped.append(x)
            x = functional.max_pool2d(x, 2)
        x = self.bottom(x)
        for (upscale, convolutions), before in zip(self.up, reversed(skipped), strict=True):
            x = convolutions(torch.cat([upscale(x), before], 1))
        answers: torch.Tensor = self.last(x)
        return answers


def _convolved_twice(weights: InitialWeights) -> nn.Sequential:
    return nn.Sequential(convolution(weights), nn.ReLU(), convolution(weights), nn.ReLU())
