"""Models of tables in PyTorch."""

from __future__ import annotations

from torch import nn

from ..task import NativeTask
from .initial_weights import InitialWeights
from .layers import batch_norm, linear


def one_hidden(task: NativeTask) -> nn.Module:
    weights = InitialWeights(task)
    return nn.Sequential(linear(weights), nn.ReLU(), linear(weights))


def mlp(task: NativeTask) -> nn.Module:
    weights = InitialWeights(task)
    first = [linear(weights), nn.ReLU(), batch_norm(weights), nn.Dropout(task.dropout)]
    second = [linear(weights), nn.ReLU(), nn.Dropout(task.dropout)]
    return nn.Sequential(*first, *second, linear(weights))
