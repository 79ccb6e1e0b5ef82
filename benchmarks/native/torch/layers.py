"""Layers of `torch.nn` with the next of Keras' initial weights; the shapes of these decide the layers' sizes."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from .initial_weights import InitialWeights
from .keras_layout import filled
from .modules import Attention, AttentionBlock, BatchNorm, FlattenedLinear


def linear(weights: InitialWeights) -> Any:
    kernel, bias = weights.take(2)
    return filled(nn.Linear(*kernel.shape), kernel, bias)


def flattened_linear(weights: InitialWeights, channels: int) -> Any:
    """Return a linear layer on flattened square pictures."""
    kernel, bias = weights.take(2)
    side = round((len(kernel) / channels) ** 0.5)
    return filled(FlattenedLinear((channels, side, side), kernel.shape[1]), kernel, bias)


def convolution(weights: InitialWeights, strides: int = 1, *, has_bias: bool = True) -> Any:
    """Return a convolution with zeros around the picture; its strides divide the picture's size."""
    arrays = weights.take(2 if has_bias else 1)
    size, _, channels, filters = arrays[0].shape
    # The zeros: as many on both sides, except with strides, of which the first window begins later.
    zeros = max(0, size - strides)
    before, after = zeros // 2, zeros - zeros // 2
    padding = before if before == after else 0
    layer = filled(nn.Conv2d(channels, filters, size, strides, padding, bias=has_bias), *arrays)
    return layer if before == after else nn.Sequential(nn.ZeroPad2d((before, after, before, after)), layer)


def upscaling(weights: InitialWeights) -> Any:
    """Return a transposed convolution that doubles height and width without overlap."""
    kernel, bias = weights.take(2)
    size, _, filters, channels = kernel.shape
    return filled(nn.ConvTranspose2d(channels, filters, size, size), kernel, bias)


def batch_norm(weights: InitialWeights) -> Any:
    scale, offset = weights.take(2)
    layer = filled(BatchNorm(len(scale)), scale, offset)
    for buffer, statistic in zip((layer.mean, layer.variance), weights.take_statistics(), strict=True):
        buffer.copy_(torch.as_tensor(statistic))
    return layer


def layer_norm(weights: InitialWeights, epsilon: float = 1e-6) -> Any:
    scale, offset = weights.take(2)
    return filled(nn.LayerNorm(len(scale), epsilon), scale, offset)


def embedding(weights: InitialWeights) -> Any:
    (table,) = weights.take(1)
    return filled(nn.Embedding(*table.shape), table)


def lstm(weights: InitialWeights) -> Any:
    kernel, recurrent, bias = weights.take(3)
    layer = filled(nn.LSTM(len(kernel), len(recurrent), batch_first=True), kernel, recurrent, bias)
    # PyTorch adds two biases; Keras has one. If both were trained, their sum would move twice as far.
    nn.init.zeros_(layer.bias_hh_l0).requires_grad_(False)
    return layer


def gru(weights: InitialWeights) -> Any:
    kernel, recurrent, bias = weights.take(3)
    return filled(nn.GRU(len(kernel), len(recurrent), batch_first=True), kernel, recurrent, bias)


def attention_block(weights: InitialWeights, dropout: float, activation: type[nn.Module] = nn.ReLU) -> Any:
    arrays = weights.take(8)
    width, heads, _ = arrays[0].shape
    attention = filled(Attention(width, heads, dropout), *arrays)
    first_norm = layer_norm(weights)
    hidden = nn.Sequential(linear(weights), activation(), linear(weights))
    return AttentionBlock(attention, first_norm, hidden, layer_norm(weights), dropout)
