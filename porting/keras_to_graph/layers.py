"""Readers of the Keras layers that compute: dense, convolution, pooling, normalisation, activation and so on.

Layers that merge, slice or reshape are in `shape_layers.py`; wrappers, recurrent and attention layers in `wrappers.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ...graph.graph import ArrayReference, ConfigValue, Spec
from .calls import LayerCall
from .encodings import ENCODINGS
from .passing_layers import PASSING_LAYERS
from .reader import GraphReader, LayerReader, UnreadableError
from .shape_layers import SHAPE_LAYERS
from .shared import (
    channels_last_spec,
    float32_input,
    normalized_axes,
    restore_layout,
    single_input,
    to_channels_last,
    to_tuple,
    transpose,
)
from .softmax import read_softmax

# --- dense and convolutions -----------------------------------------------------------------------------------------


def _kernel_and_bias(layer: Any) -> dict[str, Any]:
    return {"kernel": layer.kernel, "bias": layer.bias}


def _dense(reader: GraphReader, call: LayerCall) -> Sequence[ArrayReference]:
    layer = call.operation
    value = float32_input(reader, call)
    (result,) = reader.add(call, "dense", [value], config={"units": layer.units}, weights=_kernel_and_bias(layer))
    return [reader.activation(call, result, layer.activation)]


def _einsum_dense(reader: GraphReader, call: LayerCall) -> Sequence[ArrayReference]:
    layer = call.operation
    value = float32_input(reader, call)
    config: dict[str, ConfigValue] = {"equation": layer.equation}
    (result,) = reader.add(call, "einsum_dense", [value], config=config, weights=_kernel_and_bias(layer))
    return [reader.activation(call, result, layer.activation)]


def _window(layer: Any, padding: str) -> dict[str, ConfigValue]:
    return {
        "rank": layer.rank,
        "strides": to_tuple(layer.strides),
        "padding": padding,
        "dilation": to_tuple(layer.dilation_rate),
    }


def _causal(reader: GraphReader, call: LayerCall, value: ArrayReference) -> tuple[ArrayReference, str]:
    """Return the input, padded for a causal convolution, and the padding mode that remains."""
    layer = call.operation
    if layer.padding != "causal":
        return value, layer.padding
    before = layer.dilation_rate[0] * (layer.kernel_size[0] - 1)
    spec = reader.spec(value)
    batch, length, channels = spec.shape
    padded = Spec((batch, None if length is None else length + before, channels), spec.dtype)
    config: dict[str, ConfigValue] = {"pad_width": ((0, 0), (before, 0), (0, 0)), "value": 0.0}
    return reader.add(call, "pad", [value], config=config, role="pad", outputs=[padded])[0], "valid"


def _conv(reader: GraphReader, call: LayerCall) -> Sequence[ArrayReference]:
    layer = call.operation
    value, padding = _causal(reader, call, to_channels_last(reader, call, float32_input(reader, call)))
    config = {**_window(layer, padding), "groups": layer.groups}
    (result,) = reader.add(
        call, "conv", [value], config=config, weights=_kernel_and_bias(layer), outputs=[channels_last_spec(call)]
    )
    return [reader.activation(call, restore_layout(reader, call, result), layer.activation)]


def _depthwise_conv(reader: GraphReader, call: LayerCall) -> Sequence[ArrayReference]:
    layer = call.operation
    value, padding = _causal(reader, call, to_channels_last(reader, call, float32_input(reader, call)))
    (result,) = reader.add(
        *(call, "depthwise_conv", [value]),
        config=_window(layer, padding),
        weights=_kernel_and_bias(layer),
        outputs=[channels_last_spec(call)],
    )
    return [reader.activation(call, restore_layout(reader, call, result), layer.activation)]


def _separable_conv(reader: GraphReader, call: LayerCall) -> Sequence[ArrayReference]:
    layer = call.operation
    value, padding = _causal(reader, call, to_channels_last(reader, call, float32_input(reader, call)))
    spec = channels_last_spec(call)
    between = Spec((*spec.shape[:-1], layer.pointwise_kernel.shape[-2]), spec.dtype)
    (value,) = reader.add(
        *(call, "depthwise_conv", [value]),
        config=_window(layer, padding),
        weights={"kernel": layer.depthwise_kernel},
        role="depthwise",
        outputs=[between],
    )
    ones = (1,) * layer.rank
    config: dict[str, ConfigValue] = {
        "rank": layer.rank, "strides": ones, "padding": "valid", "dilation": ones, "groups": 1
    }  # fmt: skip
    weights = {"kernel": layer.pointwise_kernel, "bias": layer.bias}
    (result,) = reader.add(call, "conv", [value], config=config, weights=weights, role="pointwise", outputs=[spec])
    return [reader.activation(call, restore_layout(reader, call, result), layer.activation)]


def _conv_transpose(reader: GraphReader, call: LayerCall) -> Sequence[ArrayReference]:
    layer = call.operation
    value = to_channels_last(reader, call, float32_input(reader, call))
    output_padding = None if layer.output_padding is None else to_tuple(layer.output_padding)
    config = {**_window(layer, layer.padding), "output_padding": output_padding}
    (result,) = reader.add(
        call,
        "conv_transpose",
        [value],
        config=config,
        weights=_kernel_and_bias(layer),
        outputs=[channels_last_spec(call)],
    )
    return [reader.activation(call, restore_layout(reader, call, result), layer.activation)]


# --- pooling --------------------------------------------------------------------------------------------------------


def _pool(kind: str) -> LayerReader:
    def read_call(reader: GraphReader, call: LayerCall) -> Sequence[ArrayReference]:
        layer = call.operation
        value = to_channels_last(reader, call, float32_input(reader, call))
        config: dict[str, ConfigValue] = {
            "rank": len(layer.pool_size),
            "pool_size": to_tuple(layer.pool_size),
            "strides": to_tuple(layer.strides),
            "padding": layer.padding,
        }
        (result,) = reader.add(call, kind, [value], config=config, outputs=[channels_last_spec(call)])
        return [restore_layout(reader, call, result)]

    return read_call


def _global_pool(kind: str) -> LayerReader:
    def read_call(reader: GraphReader, call: LayerCall) -> Sequence[ArrayReference]:
        layer = call.operation
        value = float32_input(reader, call)
        rank = reader.spec(value).rank
        axis = tuple(range(1, rank - 1)) if layer.data_format == "channels_last" else tuple(range(2, rank))
        return reader.add(call, kind, [value], config={"axis": axis, "keepdims": bool(layer.keepdims)})

    return read_call


# --- normalisation --------------------------------------------------------------------------------------------------


def _batch_normalization(reader: GraphReader, call: LayerCall) -> Sequence[ArrayReference]:
    layer = call.operation
    if layer.renorm:
        raise UnreadableError("renorm is not covered")
    value = float32_input(reader, call)
    config: dict[str, ConfigValue] = {
        "axis": layer.axis % reader.spec(value).rank,
        "momentum": layer.momentum,
        "epsilon": layer.epsilon,
    }
    names = ("gamma", "beta", "moving_mean", "moving_variance")
    weights = {name: getattr(layer, name) for name in names}
    return reader.add(call, "batch_normalization", [value], config=config, weights=weights)


def _layer_normalization(reader: GraphReader, call: LayerCall) -> Sequence[ArrayReference]:
    layer = call.operation
    if layer.rms_scaling:
        raise UnreadableError("rms_scaling is not covered: use RMSNormalization")
    value = float32_input(reader, call)
    config: dict[str, ConfigValue] = {
        "axis": normalized_axes(layer.axis, reader.spec(value).rank),
        "epsilon": layer.epsilon,
    }
    return reader.add(
        call, "layer_normalization", [value], config=config, weights={"gamma": layer.gamma, "beta": layer.beta}
    )


def _rms_normalization(reader: GraphReader, call: LayerCall) -> Sequence[ArrayReference]:
    layer = call.operation
    value = float32_input(reader, call)
    config: dict[str, ConfigValue] = {
        "axis": normalized_axes(layer.axis, reader.spec(value).rank),
        "epsilon": layer.epsilon,
    }
    return reader.add(call, "rms_normalization", [value], config=config, weights={"scale": layer.scale})


def _group_normalization(reader: GraphReader, call: LayerCall) -> Sequence[ArrayReference]:
    layer = call.operation
    value = float32_input(reader, call)
    rank = reader.spec(value).rank
    axis = layer.axis % rank
    if axis != rank - 1:
        value = transpose(reader, call, value, _axis_last(rank, axis), "channels_last")
    config: dict[str, ConfigValue] = {"groups": layer.groups, "epsilon": layer.epsilon}
    weights = {"gamma": layer.gamma, "beta": layer.beta}
    outputs = [reader.spec(value)]
    (result,) = reader.add(call, "group_normalization", [value], config=config, weights=weights, outputs=outputs)
    if axis == rank - 1:
        return [result]
    back = tuple(int(place) for place in np.argsort(_axis_last(rank, axis)))
    return [transpose(reader, call, result, back, "as_before")]


def _axis_last(rank: int, axis: int) -> tuple[int, ...]:
    """Return the permutation that moves one axis to the end."""
    return (*(other for other in range(rank) if other != axis), axis)


def _unit_normalization(reader: GraphReader, call: LayerCall) -> Sequence[ArrayReference]:
    value = float32_input(reader, call)
    axis = normalized_axes(call.operation.axis, reader.spec(value).rank)
    return reader.add(call, "unit_normalization", [value], config={"axis": axis})


def _normalization(reader: GraphReader, call: LayerCall) -> Sequence[ArrayReference]:
    layer = call.operation
    value = float32_input(reader, call)
    weights = {"mean": layer.mean, "variance": layer.variance}
    return reader.add(call, "normalization", [value], config={"invert": bool(layer.invert)}, weights=weights)


def _rescaling(reader: GraphReader, call: LayerCall) -> Sequence[ArrayReference]:
    layer = call.operation
    config: dict[str, ConfigValue] = {"scale": _per_channel(layer.scale), "offset": _per_channel(layer.offset)}
    return reader.add(call, "rescaling", [float32_input(reader, call)], config=config)


def _per_channel(value: Any) -> float | tuple[float, ...]:
    """Return a number, or a tuple with one number per channel."""
    array = np.asarray(value, "float64")
    if array.ndim > 1:
        raise UnreadableError("its scale or offset has more than one axis")
    return tuple(array.tolist()) if array.ndim else float(array)


# --- embedding, activations -----------------------------------------------------------------------------------------


def _embedding(reader: GraphReader, call: LayerCall) -> Sequence[ArrayReference]:
    layer = call.operation
    if layer.compute_dtype != "float32":
        raise UnreadableError("is not in float32, and only float32 is covered")
    value = reader.cast(call, single_input(call), "int32")
    if reader.is_shared(layer.embeddings):
        return reader.add(call, "take", [reader.parameter(call, layer.embeddings), value], config={"axis": 0})
    config: dict[str, ConfigValue] = {"input_dim": layer.input_dim, "output_dim": layer.output_dim}
    return reader.add(call, "embedding", [value], config=config, weights={"embeddings": layer.embeddings})


def _activation(reader: GraphReader, call: LayerCall) -> Sequence[ArrayReference]:
    value = float32_input(reader, call)
    return [reader.activation(call, value, call.operation.activation)]


def _relu(reader: GraphReader, call: LayerCall) -> Sequence[ArrayReference]:
    layer = call.operation
    config: dict[str, ConfigValue] = {
        "negative_slope": float(layer.negative_slope),
        "max_value": None if layer.max_value is None else float(layer.max_value),
        "threshold": float(layer.threshold),
    }
    return reader.add(call, "relu", [float32_input(reader, call)], config=config)


def _leaky_relu(reader: GraphReader, call: LayerCall) -> Sequence[ArrayReference]:
    config: dict[str, ConfigValue] = {"negative_slope": float(call.operation.negative_slope)}
    return reader.add(call, "leaky_relu", [float32_input(reader, call)], config=config)


def _elu(reader: GraphReader, call: LayerCall) -> Sequence[ArrayReference]:
    return reader.add(call, "elu", [float32_input(reader, call)], config={"alpha": float(call.operation.alpha)})


def _prelu(reader: GraphReader, call: LayerCall) -> Sequence[ArrayReference]:
    layer = call.operation
    return reader.add(call, "prelu", [float32_input(reader, call)], weights={"alpha": layer.alpha})


# --- regularisation -------------------------------------------------------------------------------------------------


def _dropout(reader: GraphReader, call: LayerCall) -> Sequence[ArrayReference]:
    layer = call.operation
    shape = None if layer.noise_shape is None else to_tuple(layer.noise_shape)
    return reader.add(
        call, "dropout", [float32_input(reader, call)], config={"rate": float(layer.rate), "noise_shape": shape}
    )


def _spatial_dropout(reader: GraphReader, call: LayerCall) -> Sequence[ArrayReference]:
    layer = call.operation
    value = float32_input(reader, call)
    rank = reader.spec(value).rank
    first = getattr(layer, "data_format", "channels_last") == "channels_first"
    shape: tuple[ConfigValue, ...] = (None, None, *(1,) * (rank - 2)) if first else (None, *(1,) * (rank - 2), None)
    return reader.add(call, "dropout", [value], config={"rate": float(layer.rate), "noise_shape": shape})


def _gaussian_noise(reader: GraphReader, call: LayerCall) -> Sequence[ArrayReference]:
    return reader.add(
        call, "gaussian_noise", [float32_input(reader, call)], config={"stddev": float(call.operation.stddev)}
    )


def _gaussian_dropout(reader: GraphReader, call: LayerCall) -> Sequence[ArrayReference]:
    return reader.add(
        call, "gaussian_dropout", [float32_input(reader, call)], config={"rate": float(call.operation.rate)}
    )


def _alpha_dropout(reader: GraphReader, call: LayerCall) -> Sequence[ArrayReference]:
    layer, value = call.operation, float32_input(reader, call)
    if layer.noise_shape is not None:
        reader.leave_out(layer)
        return [value]
    return reader.add(call, "alpha_dropout", [value], config={"rate": float(layer.rate)})


_RANKS = ("1D", "2D", "3D")
LAYERS: dict[str, LayerReader] = {
    "Dense": _dense,
    "EinsumDense": _einsum_dense,
    **{f"Conv{rank}": _conv for rank in _RANKS},
    **{f"Conv{rank}Transpose": _conv_transpose for rank in _RANKS},
    **{f"DepthwiseConv{rank}": _depthwise_conv for rank in _RANKS[:2]},
    **{f"SeparableConv{rank}": _separable_conv for rank in _RANKS[:2]},
    **{f"MaxPooling{rank}": _pool("max_pool") for rank in _RANKS},
    **{f"AveragePooling{rank}": _pool("average_pool") for rank in _RANKS},
    **{f"GlobalMaxPooling{rank}": _global_pool("max") for rank in _RANKS},
    **{f"GlobalAveragePooling{rank}": _global_pool("mean") for rank in _RANKS},
    "BatchNormalization": _batch_normalization,
    "LayerNormalization": _layer_normalization,
    "RMSNormalization": _rms_normalization,
    "GroupNormalization": _group_normalization,
    "UnitNormalization": _unit_normalization,
    "Normalization": _normalization,
    "Rescaling": _rescaling,
    "Embedding": _embedding,
    "Activation": _activation,
    "ReLU": _relu,
    "LeakyReLU": _leaky_relu,
    "ELU": _elu,
    "Softmax": read_softmax,
    "PReLU": _prelu,
    "Dropout": _dropout,
    **{f"SpatialDropout{rank}": _spatial_dropout for rank in _RANKS},
    "GaussianNoise": _gaussian_noise,
    "GaussianDropout": _gaussian_dropout,
    "AlphaDropout": _alpha_dropout,
    **ENCODINGS,
    **PASSING_LAYERS,
    **SHAPE_LAYERS,
}
