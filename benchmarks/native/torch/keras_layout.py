"""Keras' layout of the weights of PyTorch's layers: which part of which of Keras' arrays each parameter is."""

from __future__ import annotations

from collections.abc import Iterator
from functools import singledispatch
from typing import Any

import numpy as np
import torch
from torch import nn

from ..task import NativeTask
from .modules import Attention, BatchNorm, FlattenedLinear

# One of Keras' arrays as pairs: an index into the array, and the view of a parameter that has its values.
Pieces = list[tuple[Any, torch.Tensor]]


def filled(layer: Any, *arrays: np.ndarray) -> Any:
    """Return the layer with its parameters set to Keras' arrays."""
    with torch.no_grad():
        for pieces, array in zip(layout_of(layer), arrays, strict=True):
            for index, view in pieces:
                view.copy_(torch.as_tensor(array[index].reshape(view.shape)))
    return layer


def weights_of(module: nn.Module, task: NativeTask) -> list[np.ndarray]:
    """Return the trainable weights of a module, whose layers stand in Keras' order, as arrays like the task's."""
    arrays = [np.empty_like(weight) for weight in task.weights]
    with torch.no_grad():
        for pieces, array in zip(_layouts(module), arrays, strict=True):
            for index, view in pieces:
                array[index] = view.cpu().numpy().reshape(array[index].shape)
    return arrays


def statistics_of(module: nn.Module) -> list[np.ndarray]:
    """Return the moving means and variances of a module, whose layers stand in Keras' order."""
    layers = [layer for layer in module.modules() if isinstance(layer, BatchNorm)]
    return [buffer.cpu().numpy() for layer in layers for buffer in (layer.mean, layer.variance)]


def _layouts(module: nn.Module) -> Iterator[Pieces]:
    if layout := layout_of(module):
        yield from layout
    else:
        for child in module.children():
            yield from _layouts(child)


@singledispatch
def layout_of(layer: nn.Module) -> list[Pieces]:
    """Return the trainable arrays of a layer in Keras' order and layout; nothing for a module without its own."""
    return []


def _whole(*views: torch.Tensor) -> list[Pieces]:
    return [[(..., view)] for view in views]


@layout_of.register
def _(layer: nn.Linear) -> list[Pieces]:
    return _whole(layer.weight.T, layer.bias)


@layout_of.register
def _(layer: FlattenedLinear) -> list[Pieces]:
    # Keras flattens with the channels last, PyTorch with the channels first.
    return _whole(layer.weight.unflatten(1, layer.shape).permute(2, 3, 1, 0), layer.bias)


@layout_of.register(nn.Conv2d)
@layout_of.register(nn.ConvTranspose2d)
def _(layer: Any) -> list[Pieces]:
    kernel = layer.weight.permute(2, 3, 1, 0)
    return _whole(kernel) if layer.bias is None else _whole(kernel, layer.bias)


@layout_of.register(nn.LayerNorm)
@layout_of.register(BatchNorm)
def _(layer: Any) -> list[Pieces]:
    return _whole(layer.weight, layer.bias)


@layout_of.register
def _(layer: nn.Embedding) -> list[Pieces]:
    return _whole(layer.weight)


@layout_of.register
def _(layer: nn.LSTM) -> list[Pieces]:
    return _whole(layer.weight_ih_l0.T, layer.weight_hh_l0.T, layer.bias_ih_l0)


@layout_of.register
def _(layer: nn.GRU) -> list[Pieces]:
    """The gates: update, reset, new in Keras; reset, update, new in PyTorch."""
    units = layer.hidden_size
    places = [slice(units, 2 * units), slice(0, units), slice(2 * units, 3 * units)]

    def pieces(parameter: torch.Tensor, row: Any) -> Pieces:
        return [((row, place), gate.movedim(0, -1)) for place, gate in zip(places, parameter.chunk(3), strict=True)]

    kernels = [pieces(layer.weight_ih_l0, slice(None)), pieces(layer.weight_hh_l0, slice(None))]
    return [*kernels, [*pieces(layer.bias_ih_l0, 0), *pieces(layer.bias_hh_l0, 1)]]


@layout_of.register
def _(layer: Attention) -> list[Pieces]:
    heads = (layer.heads, -1)
    views = []
    for kernel, bias in zip(layer.projections.weight.chunk(3), layer.projections.bias.chunk(3), strict=True):
        views += [kernel.T.unflatten(1, heads), bias.unflatten(0, heads)]
    return _whole(*views, layer.last.weight.T.unflatten(0, heads), layer.last.bias)
