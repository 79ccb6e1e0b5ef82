"""Modules that `torch.nn` does not have as Keras computes them."""

from __future__ import annotations

import torch
import torch.nn.functional as functional
from torch import nn

from ..keras_defaults import MOMENTUM, NORMALIZATION_EPSILON


class FlattenedLinear(nn.Linear):
    """A linear layer on flattened pictures.

    Args:
        shape: of a picture: channels, height, width.
        units: of the layer.
    """

    def __init__(self, shape: tuple[int, int, int], units: int):
        super().__init__(shape[0] * shape[1] * shape[2], units)
        self.shape = shape

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        answers: torch.Tensor = super().forward(x.flatten(1))
        return answers


class BatchNorm(nn.Module):
    """Batch normalisation of (n, channels, …), for training.

    Attributes:
        mean, variance: the moving statistics, (channels,).
    """

    def __init__(self, channels: int):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))
        self.register_buffer("mean", torch.zeros(channels))
        self.register_buffer("variance", torch.ones(channels))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        variance = self.variance.clone()
        moving = (self.mean, variance)
        x = functional.batch_norm(x, *moving, self.weight, self.bias, True, 1 - MOMENTUM, NORMALIZATION_EPSILON)
        # PyTorch adds the variance of the population that the batch is drawn from, Keras the batch's, which is smaller.
        self.variance.mul_(MOMENTUM).lerp_(variance, 1 - x.shape[1] / x.numel())
        return x


class Attention(nn.Module):
    """Self-attention of (n, length, width), with one projection for queries, keys and values."""

    def __init__(self, width: int, heads: int, dropout: float):
        super().__init__()
        self.heads, self.dropout = heads, dropout
        self.projections = nn.Linear(width, 3 * width)
        self.last = nn.Linear(width, width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        query, key, value = (
            part.unflatten(-1, (self.heads, -1)).transpose(1, 2) for part in self.projections(x).chunk(3, -1)
        )
        attended = functional.scaled_dot_product_attention(query, key, value, dropout_p=self.dropout)
        answers: torch.Tensor = self.last(attended.transpose(1, 2).flatten(2))
        return answers


class AttentionBlock(nn.Module):
    """Self-attention and two dense layers, each added to its input and normalised."""

    def __init__(
        self,
        attention: Attention,
        first_norm: nn.LayerNorm,
        hidden: nn.Sequential,
        last_norm: nn.LayerNorm,
        dropout: float,
    ):
        super().__init__()
        self.attention, self.first_norm = attention, first_norm
        self.hidden, self.last_norm = hidden, last_norm
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.first_norm(x + self.dropout(self.attention(x)))
        answers: torch.Tensor = self.last_norm(x + self.dropout(self.hidden(x)))
        return answers
