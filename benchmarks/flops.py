"""Counts the operations of a model, layer by layer, from its shapes alone: nothing is run.

The conventions, in which counters differ: a multiplication and an addition are two operations; a bias is one operation
per value, and so is any activation, except softmax with five (maximum, subtraction, exponential, sum, division). Moving
values (flatten, pad, look up an embedding) is no operation. The backward pass of a layer costs as much as the forward
pass for the gradient with respect to its weights, if it has trainable ones, and as much again for the gradient with
respect to its inputs, if a layer before it is trainable. The optimizer's work, once per step, is left out.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import keras

Shape = tuple[int, ...]

_SOFTMAX = 5
_BYTES = 4  # of a float32
# Per value: batch normalisation subtracts, divides, multiplies and adds; the others also compute mean and variance.
_BATCH_NORM, _OTHER_NORM = 4, 8


@dataclass(frozen=True)
class LayerCost:
    """The operations and the memory traffic of one layer for one sample.

    Attributes:
        name, kind: the layer's name and class.
        forward: operations of a forward pass.
        training: operations of a forward and a backward pass.
        traffic: the least bytes that training moves: inputs, outputs and weights once per pass.
        answering: the least bytes that a forward pass moves.
        known: whether this counter knows the kind of layer; otherwise all counts are 0.
    """

    name: str
    kind: str
    forward: int
    training: int
    traffic: int
    answering: int
    known: bool = True


def count(model: keras.Model, batch_size: int = 1) -> list[LayerCost]:
    """Count every layer of a built model in order, the layers of nested models in their place.

    Args:
        batch_size: the number of samples among which the traffic of the weights is divided.
    """
    costs: list[LayerCost] = []
    trained = False  # whether a layer before this one is trainable
    for layer in _flat_layers(model):
        costs.append(_cost(layer, batch_size, trained))
        trained = trained or bool(layer.trainable_weights)
    return costs


def total(costs: Sequence[LayerCost]) -> dict[str, Any]:
    """Return the sums over all layers, and the names of the unknown layers that they leave out."""
    return {
        "forward": sum(cost.forward for cost in costs),
        "training": sum(cost.training for cost in costs),
        "traffic": sum(cost.traffic for cost in costs),
        "answering": sum(cost.answering for cost in costs),
        "unknown": [cost.name for cost in costs if not cost.known],
    }


def _cost(layer: Any, batch_size: int, trained_before: bool) -> LayerCost:
    try:
        inputs, output = _shapes(layer.input), _shapes(layer.output)
        forward = _forward(layer, inputs, output[0])
    except (AttributeError, ValueError):  # a layer that is used several times, or custom code, has no single shape
        forward = None
    if forward is None:
        return LayerCost(layer.name, type(layer).__name__, 0, 0, 0, 0, known=False)
    passes = 1 + bool(layer.trainable_weights) + trained_before
    values = sum(map(math.prod, inputs)) + sum(map(math.prod, output))
    moved = _BYTES * (values + layer.count_params() / batch_size)
    training = passes * forward + (3 * math.prod(output[0]) if _is_random(layer) else 0)
    return LayerCost(layer.name, type(layer).__name__, forward, training, round(passes * moved), round(moved))


def _flat_layers(model: Any) -> list[Any]:
    layers = []
    for layer in model.layers:
        layers += _flat_layers(layer) if isinstance(layer, keras.Model) else [layer]
    return layers


def _shapes(tensors: Any) -> list[Shape]:
    """Return the shape of one sample for each tensor; an axis of unknown length counts as 1."""
    return [tuple(size or 1 for size in tensor.shape[1:]) for tensor in keras.tree.flatten(tensors)]


def _is_random(layer: Any) -> bool:
    """Return whether a layer is random in training. That costs a comparison and two multiplications per value."""
    kinds = keras.layers.Dropout, keras.layers.SpatialDropout1D, keras.layers.SpatialDropout2D
    return isinstance(layer, (*kinds, keras.layers.GaussianNoise, keras.layers.GaussianDropout))


def _activation(function: Any, values: int) -> int:
    name = getattr(function, "__name__", "")
    return values * {"linear": 0, "softmax": _SOFTMAX}.get(name, 1)


def _bias_and_activation(layer: Any, values: int) -> int:
    return values * bool(layer.use_bias) + _activation(layer.activation, values)


def _size(shape: Any) -> int:
    return int(math.prod(shape))


# --- one function per kind of layer: operations for one sample, or None for an unknown kind ---------------------------


@functools.singledispatch
def _forward(layer: Any, inputs: list[Shape], output: Shape) -> int | None:
    return None


@_forward.register
def _dense(layer: keras.layers.Dense, inputs: list[Shape], output: Shape) -> int:
    values = _size(output)
    return 2 * inputs[0][-1] * values + _bias_and_activation(layer, values)


@_forward.register(keras.layers.Conv1D)
@_forward.register(keras.layers.Conv2D)
@_forward.register(keras.layers.Conv3D)
def _convolution(layer: Any, inputs: list[Shape], output: Shape) -> int:
    values = _size(output)
    return 2 * _size(layer.kernel.shape[:-1]) * values + _bias_and_activation(layer, values)


@_forward.register(keras.layers.Conv1DTranspose)
@_forward.register(keras.layers.Conv2DTranspose)
@_forward.register(keras.layers.Conv3DTranspose)
def _transposed_convolution(layer: Any, inputs: list[Shape], output: Shape) -> int:
    positions: int = _size(inputs[0]) // layer.kernel.shape[-1]  # each position is spread over a window
    return 2 * _size(layer.kernel.shape) * positions + _bias_and_activation(layer, _size(output))


@_forward.register(keras.layers.DepthwiseConv1D)
@_forward.register(keras.layers.DepthwiseConv2D)
def _depthwise(layer: Any, inputs: list[Shape], output: Shape) -> int:
    values = _size(output)
    return 2 * _size(layer.kernel_size) * values + _bias_and_activation(layer, values)


@_forward.register(keras.layers.SeparableConv1D)
@_forward.register(keras.layers.SeparableConv2D)
def _separable(layer: Any, inputs: list[Shape], output: Shape) -> int:
    values = _size(output)
    positions: int = values // layer.filters
    channels = _size(layer.depthwise_kernel.shape[-2:])
    depthwise = 2 * _size(layer.kernel_size) * positions * channels
    return depthwise + 2 * channels * values + _bias_and_activation(layer, values)


@_forward.register(keras.layers.MaxPooling1D)
@_forward.register(keras.layers.MaxPooling2D)
@_forward.register(keras.layers.MaxPooling3D)
def _max_pooling(layer: Any, inputs: list[Shape], output: Shape) -> int:
    return (_size(layer.pool_size) - 1) * _size(output)


@_forward.register(keras.layers.AveragePooling1D)
@_forward.register(keras.layers.AveragePooling2D)
@_forward.register(keras.layers.AveragePooling3D)
def _average_pooling(layer: Any, inputs: list[Shape], output: Shape) -> int:
    return _size(layer.pool_size) * _size(output)


@_forward.register(keras.layers.GlobalMaxPooling1D)
@_forward.register(keras.layers.GlobalMaxPooling2D)
@_forward.register(keras.layers.GlobalAveragePooling1D)
@_forward.register(keras.layers.GlobalAveragePooling2D)
def _global_pooling(layer: Any, inputs: list[Shape], output: Shape) -> int:
    return _size(inputs[0])


@_forward.register
def _recurrent(layer: keras.layers.RNN, inputs: list[Shape], output: Shape) -> int | None:
    steps, features = inputs[0][0], inputs[0][-1]
    cells, operations_per_step = getattr(layer.cell, "cells", [layer.cell]), 0
    for cell in cells:
        operations = _cell(cell, features)
        if operations is None:
            return None
        operations_per_step, features = operations_per_step + operations, cell.units
    return steps * operations_per_step


def _cell(cell: Any, features: int) -> int | None:
    """Count one step of a recurrent cell: the matrix products of its gates, biases, and elementwise operations."""
    for kind, gates, elementwise in (
        (keras.layers.LSTMCell, 4, 9),  # four activations; f·c + i·g, tanh, o·tanh
        (keras.layers.GRUCell, 3, 8),  # three activations; r·h, z·h + (1 - z)·n
        (keras.layers.SimpleRNNCell, 1, 1),
    ):
        if isinstance(cell, kind):
            biases = gates * bool(cell.use_bias) * (2 if getattr(cell, "reset_after", False) else 1)
            units = int(cell.units)
            return units * (2 * gates * (features + units) + biases + elementwise)
    return None


@_forward.register
def _bidirectional(layer: keras.layers.Bidirectional, inputs: list[Shape], output: Shape) -> int | None:
    one_direction = _recurrent(layer.forward_layer, inputs, output)
    merge = 0 if layer.merge_mode in ("concat", None) else _size(output)
    return None if one_direction is None else 2 * one_direction + merge


@_forward.register
def _time_distributed(layer: keras.layers.TimeDistributed, inputs: list[Shape], output: Shape) -> int | None:
    one_step = _forward(layer.layer, [inputs[0][1:]], output[1:])
    return None if one_step is None else inputs[0][0] * one_step


@_forward.register
def _multi_head(layer: keras.layers.MultiHeadAttention, inputs: list[Shape], output: Shape) -> int:
    (queries, width), (keys, value_width) = inputs[0], inputs[1]
    key_width = inputs[2][-1] if len(inputs) > 2 else value_width
    heads, key, value = int(layer.num_heads), int(layer.key_dim), int(layer.value_dim)
    projections = queries * width * heads * key + keys * heads * (key_width * key + value_width * value)
    output_projection = queries * heads * value * output[-1]
    scores_and_sums = queries * keys * heads * (key + value)
    biases = (
        (queries + keys) * heads * key + keys * heads * value + _size(output) if layer.get_config()["use_bias"] else 0
    )
    scaling = queries * heads * key
    return (
        2 * (projections + output_projection + scores_and_sums) + biases + scaling + _SOFTMAX * queries * keys * heads
    )


@_forward.register
def _attention(layer: keras.layers.Attention, inputs: list[Shape], output: Shape) -> int:
    (queries, width), (keys, value_width) = inputs[0], inputs[1]
    scaling = queries * keys * bool(layer.use_scale)
    return 2 * queries * keys * (width + value_width) + scaling + _SOFTMAX * queries * keys


@_forward.register(keras.layers.BatchNormalization)
def _batch_normalisation(layer: Any, inputs: list[Shape], output: Shape) -> int:
    return _BATCH_NORM * _size(output)


@_forward.register(keras.layers.LayerNormalization)
@_forward.register(keras.layers.GroupNormalization)
@_forward.register(keras.layers.UnitNormalization)
def _other_normalisation(layer: Any, inputs: list[Shape], output: Shape) -> int:
    return _OTHER_NORM * _size(output)


@_forward.register
def _activation_layer(layer: keras.layers.Activation, inputs: list[Shape], output: Shape) -> int:
    return _activation(layer.activation, _size(output))


@_forward.register
def _softmax(layer: keras.layers.Softmax, inputs: list[Shape], output: Shape) -> int:
    return _SOFTMAX * _size(output)


@_forward.register(keras.layers.ReLU)
@_forward.register(keras.layers.LeakyReLU)
@_forward.register(keras.layers.ELU)
@_forward.register(keras.layers.PReLU)
def _rectifier(layer: Any, inputs: list[Shape], output: Shape) -> int:
    return _size(output)


@_forward.register(keras.layers.Rescaling)
def _rescaling(layer: Any, inputs: list[Shape], output: Shape) -> int:
    return 2 * _size(output)


@_forward.register(keras.layers.Add)
@_forward.register(keras.layers.Subtract)
@_forward.register(keras.layers.Multiply)
@_forward.register(keras.layers.Average)
@_forward.register(keras.layers.Maximum)
@_forward.register(keras.layers.Minimum)
def _elementwise_merge(layer: Any, inputs: list[Shape], output: Shape) -> int:
    return (len(inputs) - 1) * _size(output)


def _no_arithmetic(layer: Any, inputs: list[Shape], output: Shape) -> int:
    return 0


for _kind in (
    *("InputLayer", "Flatten", "Reshape", "Permute", "RepeatVector", "Concatenate", "Masking", "Identity", "Embedding"),
    *("Dropout", "SpatialDropout1D", "SpatialDropout2D", "GaussianNoise", "GaussianDropout"),
    *("ZeroPadding1D", "ZeroPadding2D", "Cropping1D", "Cropping2D", "UpSampling1D", "UpSampling2D"),
):
    _forward.register(getattr(keras.layers, _kind), _no_arithmetic)
