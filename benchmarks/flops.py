"""How much arithmetic a model is, layer by layer, from its shapes alone: nothing is run.

Conventions, which other counters choose otherwise: a multiplication and an addition are two operations; a bias is one
for each value, so is an activation, whichever it is, but softmax five (maximum, subtraction, exponential, sum,
division). Moving values (flatten, pad, look up an embedding) is none. Going backwards costs a layer as much as going
forwards for the gradient by its weights, where it trains any, and as much again for the gradient by its inputs, where a
layer before it trains any. What the optimizer does once a step is left out.
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
# Of a value: batch normalisation subtracts, divides, multiplies and adds; others find mean and variance before.
_BATCH_NORM, _OTHER_NORM = 4, 8


@dataclass(frozen=True)
class LayerCost:
    """What one layer does for one sample.

    Attributes:
        name, kind: the layer's name and class.
        forward: operations of an answer.
        training: operations of an answer with its gradients.
        traffic: the least bytes that training moves: inputs, outputs and weights once for each of its passes.
        answering: the same of a single answer.
        known: whether this counter knows such a layer; otherwise all of these are 0.
    """

    name: str
    kind: str
    forward: int
    training: int
    traffic: int
    answering: int
    known: bool = True


def count(model: keras.Model, batch_size: int = 1) -> list[LayerCost]:
    """Every layer of a built model in its order, those of nested models in their place.

    Args:
        batch_size: over how many samples the traffic of the weights is spread.
    """
    costs: list[LayerCost] = []
    trained = False  # something before this layer
    for layer in _flat(model):
        costs.append(_cost(layer, batch_size, trained))
        trained = trained or bool(layer.trainable_weights)
    return costs


def total(costs: Sequence[LayerCost]) -> dict[str, Any]:
    """The sums, and the names of the layers that are missing in them."""
    return {
        "forward": sum(cost.forward for cost in costs),
        "training": sum(cost.training for cost in costs),
        "traffic": sum(cost.traffic for cost in costs),
        "answering": sum(cost.answering for cost in costs),
        "unknown": [cost.name for cost in costs if not cost.known],
    }


def _cost(layer: Any, batch_size: int, trained_before: bool) -> LayerCost:
    try:
        given, made = _shapes(layer.input), _shapes(layer.output)
        forward = _forward(layer, given, made[0])
    except (AttributeError, ValueError):  # used in several places, or by code of one's own: it has no one shape
        forward = None
    if forward is None:
        return LayerCost(layer.name, type(layer).__name__, 0, 0, 0, 0, known=False)
    passes = 1 + bool(layer.trainable_weights) + trained_before
    values = sum(map(math.prod, given)) + sum(map(math.prod, made))
    moved = _BYTES * (values + layer.count_params() / batch_size)
    training = passes * forward + (3 * math.prod(made[0]) if _drops(layer) else 0)
    return LayerCost(layer.name, type(layer).__name__, forward, training, round(passes * moved), round(moved))


def _flat(model: Any) -> list[Any]:
    found = []
    for layer in model.layers:
        found += _flat(layer) if isinstance(layer, keras.Model) else [layer]
    return found


def _shapes(tensors: Any) -> list[Shape]:
    """Of each tensor the shape of one sample; an axis of open length counts as 1."""
    return [tuple(size or 1 for size in tensor.shape[1:]) for tensor in keras.tree.flatten(tensors)]


def _drops(layer: Any) -> bool:
    """Whether it changes values at random in training: compare, multiply, and multiply the gradient."""
    kinds = keras.layers.Dropout, keras.layers.SpatialDropout1D, keras.layers.SpatialDropout2D
    return isinstance(layer, (*kinds, keras.layers.GaussianNoise, keras.layers.GaussianDropout))


def _activation(function: Any, values: int) -> int:
    name = getattr(function, "__name__", "")
    return values * {"linear": 0, "softmax": _SOFTMAX}.get(name, 1)


def _bias_and_activation(layer: Any, values: int) -> int:
    return values * bool(layer.use_bias) + _activation(layer.activation, values)


def _size(shape: Any) -> int:
    return int(math.prod(shape))


# --- one function a kind of layer: operations of one sample, or None where the kind is unknown ------------------------


@functools.singledispatch
def _forward(layer: Any, given: list[Shape], made: Shape) -> int | None:
    return None


@_forward.register
def _dense(layer: keras.layers.Dense, given: list[Shape], made: Shape) -> int:
    values = _size(made)
    return 2 * given[0][-1] * values + _bias_and_activation(layer, values)


@_forward.register(keras.layers.Conv1D)
@_forward.register(keras.layers.Conv2D)
@_forward.register(keras.layers.Conv3D)
def _convolution(layer: Any, given: list[Shape], made: Shape) -> int:
    values = _size(made)
    return 2 * _size(layer.kernel.shape[:-1]) * values + _bias_and_activation(layer, values)


@_forward.register(keras.layers.Conv1DTranspose)
@_forward.register(keras.layers.Conv2DTranspose)
@_forward.register(keras.layers.Conv3DTranspose)
def _transposed(layer: Any, given: list[Shape], made: Shape) -> int:
    places: int = _size(given[0]) // layer.kernel.shape[-1]  # each is spread over a window
    return 2 * _size(layer.kernel.shape) * places + _bias_and_activation(layer, _size(made))


@_forward.register(keras.layers.DepthwiseConv1D)
@_forward.register(keras.layers.DepthwiseConv2D)
def _depthwise(layer: Any, given: list[Shape], made: Shape) -> int:
    values = _size(made)
    return 2 * _size(layer.kernel_size) * values + _bias_and_activation(layer, values)


@_forward.register(keras.layers.SeparableConv1D)
@_forward.register(keras.layers.SeparableConv2D)
def _separable(layer: Any, given: list[Shape], made: Shape) -> int:
    values = _size(made)
    places: int = values // layer.filters
    channels = _size(layer.depthwise_kernel.shape[-2:])
    depthwise = 2 * _size(layer.kernel_size) * places * channels
    return depthwise + 2 * channels * values + _bias_and_activation(layer, values)


@_forward.register(keras.layers.MaxPooling1D)
@_forward.register(keras.layers.MaxPooling2D)
@_forward.register(keras.layers.MaxPooling3D)
def _max_pooling(layer: Any, given: list[Shape], made: Shape) -> int:
    return (_size(layer.pool_size) - 1) * _size(made)


@_forward.register(keras.layers.AveragePooling1D)
@_forward.register(keras.layers.AveragePooling2D)
@_forward.register(keras.layers.AveragePooling3D)
def _average_pooling(layer: Any, given: list[Shape], made: Shape) -> int:
    return _size(layer.pool_size) * _size(made)


@_forward.register(keras.layers.GlobalMaxPooling1D)
@_forward.register(keras.layers.GlobalMaxPooling2D)
@_forward.register(keras.layers.GlobalAveragePooling1D)
@_forward.register(keras.layers.GlobalAveragePooling2D)
def _global_pooling(layer: Any, given: list[Shape], made: Shape) -> int:
    return _size(given[0])


@_forward.register
def _recurrent(layer: keras.layers.RNN, given: list[Shape], made: Shape) -> int | None:
    steps, features = given[0][0], given[0][-1]
    cells, each = getattr(layer.cell, "cells", [layer.cell]), 0
    for cell in cells:
        found = _cell(cell, features)
        if found is None:
            return None
        each, features = each + found, cell.units
    return steps * each


def _cell(cell: Any, features: int) -> int | None:
    """One step of a recurrent cell: the matrix products of its gates, their biases, and what joins them."""
    for kind, gates, joining in (
        (keras.layers.LSTMCell, 4, 9),  # four activations; f·c + i·g, tanh, o·tanh
        (keras.layers.GRUCell, 3, 8),  # three activations; r·h, z·h + (1 - z)·n
        (keras.layers.SimpleRNNCell, 1, 1),
    ):
        if isinstance(cell, kind):
            biases = gates * bool(cell.use_bias) * (2 if getattr(cell, "reset_after", False) else 1)
            units = int(cell.units)
            return units * (2 * gates * (features + units) + biases + joining)
    return None


@_forward.register
def _bidirectional(layer: keras.layers.Bidirectional, given: list[Shape], made: Shape) -> int | None:
    once = _recurrent(layer.forward_layer, given, made)
    joined = 0 if layer.merge_mode in ("concat", None) else _size(made)
    return None if once is None else 2 * once + joined


@_forward.register
def _time_distributed(layer: keras.layers.TimeDistributed, given: list[Shape], made: Shape) -> int | None:
    once = _forward(layer.layer, [given[0][1:]], made[1:])
    return None if once is None else given[0][0] * once


@_forward.register
def _multi_head(layer: keras.layers.MultiHeadAttention, given: list[Shape], made: Shape) -> int:
    (asked, width), (said, value_width) = given[0], given[1]
    key_width = given[2][-1] if len(given) > 2 else value_width
    heads, key, value = int(layer.num_heads), int(layer.key_dim), int(layer.value_dim)
    projected = asked * width * heads * key + said * heads * (key_width * key + value_width * value)
    answered = asked * heads * value * made[-1]
    mixed = asked * said * heads * (key + value)
    biases = (asked + said) * heads * key + said * heads * value + _size(made) if layer.get_config()["use_bias"] else 0
    scaled = asked * heads * key
    return 2 * (projected + answered + mixed) + biases + scaled + _SOFTMAX * asked * said * heads


@_forward.register
def _attention(layer: keras.layers.Attention, given: list[Shape], made: Shape) -> int:
    (asked, width), (said, value_width) = given[0], given[1]
    scaled = asked * said * bool(layer.use_scale)
    return 2 * asked * said * (width + value_width) + scaled + _SOFTMAX * asked * said


@_forward.register(keras.layers.BatchNormalization)
def _batch_normalisation(layer: Any, given: list[Shape], made: Shape) -> int:
    return _BATCH_NORM * _size(made)


@_forward.register(keras.layers.LayerNormalization)
@_forward.register(keras.layers.GroupNormalization)
@_forward.register(keras.layers.UnitNormalization)
def _other_normalisation(layer: Any, given: list[Shape], made: Shape) -> int:
    return _OTHER_NORM * _size(made)


@_forward.register
def _activating(layer: keras.layers.Activation, given: list[Shape], made: Shape) -> int:
    return _activation(layer.activation, _size(made))


@_forward.register
def _softmax(layer: keras.layers.Softmax, given: list[Shape], made: Shape) -> int:
    return _SOFTMAX * _size(made)


@_forward.register(keras.layers.ReLU)
@_forward.register(keras.layers.LeakyReLU)
@_forward.register(keras.layers.ELU)
@_forward.register(keras.layers.PReLU)
def _rectifying(layer: Any, given: list[Shape], made: Shape) -> int:
    return _size(made)


@_forward.register(keras.layers.Rescaling)
def _rescaling(layer: Any, given: list[Shape], made: Shape) -> int:
    return 2 * _size(made)


@_forward.register(keras.layers.Add)
@_forward.register(keras.layers.Subtract)
@_forward.register(keras.layers.Multiply)
@_forward.register(keras.layers.Average)
@_forward.register(keras.layers.Maximum)
@_forward.register(keras.layers.Minimum)
def _joining(layer: Any, given: list[Shape], made: Shape) -> int:
    return (len(given) - 1) * _size(made)


def _moving(layer: Any, given: list[Shape], made: Shape) -> int:
    return 0


for _kind in (
    *("InputLayer", "Flatten", "Reshape", "Permute", "RepeatVector", "Concatenate", "Masking", "Identity", "Embedding"),
    *("Dropout", "SpatialDropout1D", "SpatialDropout2D", "GaussianNoise", "GaussianDropout"),
    *("ZeroPadding1D", "ZeroPadding2D", "Cropping1D", "Cropping2D", "UpSampling1D", "UpSampling2D"),
):
    _forward.register(getattr(keras.layers, _kind), _moving)
