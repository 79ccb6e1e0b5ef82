"""What each of Keras' layers that compute becomes in the graph.

Those that join, cut or move arrays are in `shape_layers.py`; wrappers, recurrent and attention layers in `wrappers.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ...graph.graph import Reference, Spec, Value
from .calls import Call
from .reader import Reader, Reading, UnreadableError
from .shape_layers import ARRANGING
from .shared import as_given, axes_of, channels_last, floats, last_spec, numbers, only_input, transposed

# --- dense and convolutions -----------------------------------------------------------------------------------------


def _kernels(layer: Any) -> dict[str, Any]:
    if getattr(layer, "quantization_mode", None):
        raise UnreadableError("is quantised")
    return {"kernel": layer.kernel, "bias": layer.bias}


def _dense(reading: Reading, call: Call) -> Sequence[Reference]:
    layer = call.operation
    value = floats(reading, call)
    (result,) = reading.add(call, "dense", [value], config={"units": layer.units}, weights=_kernels(layer))
    return [reading.activation(call, result, layer.activation)]


def _einsum_dense(reading: Reading, call: Call) -> Sequence[Reference]:
    layer = call.operation
    value = floats(reading, call)
    config: dict[str, Value] = {"equation": layer.equation}
    (result,) = reading.add(call, "einsum_dense", [value], config=config, weights=_kernels(layer))
    return [reading.activation(call, result, layer.activation)]


def layer_scale(reading: Reading, call: Call) -> Sequence[Reference]:
    """A learnt factor for each channel, which `keras.applications` has in ConvNeXt."""
    value = floats(reading, call)
    axes = "abcdefgh"[: reading.spec(value).rank]
    config: dict[str, Value] = {"equation": f"{axes},{axes[-1]}->{axes}"}
    return reading.add(call, "einsum_dense", [value], config=config, weights={"kernel": call.operation.gamma})


def _window(layer: Any, padding: str) -> dict[str, Value]:
    return {
        "rank": layer.rank,
        "strides": numbers(layer.strides),
        "padding": padding,
        "dilation": numbers(layer.dilation_rate),
    }


def _causal(reading: Reading, call: Call, value: Reference) -> tuple[Reference, str]:
    """What a causal convolution sees, and the padding that is left to do."""
    layer = call.operation
    if layer.padding != "causal":
        return value, layer.padding
    before = layer.dilation_rate[0] * (layer.kernel_size[0] - 1)
    spec = reading.spec(value)
    batch, length, channels = spec.shape
    padded = Spec((batch, None if length is None else length + before, channels), spec.dtype)
    config: dict[str, Value] = {"pad_width": ((0, 0), (before, 0), (0, 0)), "value": 0.0}
    return reading.add(call, "pad", [value], config=config, role="pad", outputs=[padded])[0], "valid"


def _conv(reading: Reading, call: Call) -> Sequence[Reference]:
    layer = call.operation
    value, padding = _causal(reading, call, channels_last(reading, call, floats(reading, call)))
    config = {**_window(layer, padding), "groups": layer.groups}
    (result,) = reading.add(call, "conv", [value], config=config, weights=_kernels(layer), outputs=[last_spec(call)])
    return [reading.activation(call, as_given(reading, call, result), layer.activation)]


def _depthwise_conv(reading: Reading, call: Call) -> Sequence[Reference]:
    layer = call.operation
    value, padding = _causal(reading, call, channels_last(reading, call, floats(reading, call)))
    (result,) = reading.add(
        *(call, "depthwise_conv", [value]),
        config=_window(layer, padding),
        weights=_kernels(layer),
        outputs=[last_spec(call)],
    )
    return [reading.activation(call, as_given(reading, call, result), layer.activation)]


def _separable_conv(reading: Reading, call: Call) -> Sequence[Reference]:
    layer = call.operation
    value, padding = _causal(reading, call, channels_last(reading, call, floats(reading, call)))
    spec = last_spec(call)
    between = Spec((*spec.shape[:-1], layer.pointwise_kernel.shape[-2]), spec.dtype)
    (value,) = reading.add(
        *(call, "depthwise_conv", [value]),
        config=_window(layer, padding),
        weights={"kernel": layer.depthwise_kernel},
        role="depthwise",
        outputs=[between],
    )
    ones = (1,) * layer.rank
    config: dict[str, Value] = {
        "rank": layer.rank, "strides": ones, "padding": "valid", "dilation": ones, "groups": 1
    }  # fmt: skip
    weights = {"kernel": layer.pointwise_kernel, "bias": layer.bias}
    (result,) = reading.add(call, "conv", [value], config=config, weights=weights, role="pointwise", outputs=[spec])
    return [reading.activation(call, as_given(reading, call, result), layer.activation)]


def _conv_transpose(reading: Reading, call: Call) -> Sequence[Reference]:
    layer = call.operation
    value = channels_last(reading, call, floats(reading, call))
    output_padding = None if layer.output_padding is None else numbers(layer.output_padding)
    config = {**_window(layer, layer.padding), "output_padding": output_padding}
    (result,) = reading.add(
        call, "conv_transpose", [value], config=config, weights=_kernels(layer), outputs=[last_spec(call)]
    )
    return [reading.activation(call, as_given(reading, call, result), layer.activation)]


# --- pooling --------------------------------------------------------------------------------------------------------


def _pool(kind: str) -> Reader:
    def reader(reading: Reading, call: Call) -> Sequence[Reference]:
        layer = call.operation
        value = channels_last(reading, call, floats(reading, call))
        config: dict[str, Value] = {
            "rank": len(layer.pool_size),
            "pool_size": numbers(layer.pool_size),
            "strides": numbers(layer.strides),
            "padding": layer.padding,
        }
        (result,) = reading.add(call, kind, [value], config=config, outputs=[last_spec(call)])
        return [as_given(reading, call, result)]

    return reader


def _global_pool(kind: str) -> Reader:
    def reader(reading: Reading, call: Call) -> Sequence[Reference]:
        layer = call.operation
        value = floats(reading, call)
        rank = reading.spec(value).rank
        axis = tuple(range(1, rank - 1)) if layer.data_format == "channels_last" else tuple(range(2, rank))
        return reading.add(call, kind, [value], config={"axis": axis, "keepdims": bool(layer.keepdims)})

    return reader


# --- normalisation --------------------------------------------------------------------------------------------------


def _batch_normalization(reading: Reading, call: Call) -> Sequence[Reference]:
    layer = call.operation
    if layer.renorm:
        raise UnreadableError("renorm is not covered")
    value = floats(reading, call)
    config: dict[str, Value] = {
        "axis": layer.axis % reading.spec(value).rank,
        "momentum": layer.momentum,
        "epsilon": layer.epsilon,
    }
    names = ("gamma", "beta", "moving_mean", "moving_variance")
    weights = {name: getattr(layer, name) for name in names}
    return reading.add(call, "batch_normalization", [value], config=config, weights=weights)


def _layer_normalization(reading: Reading, call: Call) -> Sequence[Reference]:
    layer = call.operation
    if layer.rms_scaling:
        raise UnreadableError("rms_scaling is not covered: RMSNormalization is")
    value = floats(reading, call)
    config: dict[str, Value] = {"axis": axes_of(layer.axis, reading.spec(value).rank), "epsilon": layer.epsilon}
    return reading.add(
        call, "layer_normalization", [value], config=config, weights={"gamma": layer.gamma, "beta": layer.beta}
    )


def _rms_normalization(reading: Reading, call: Call) -> Sequence[Reference]:
    layer = call.operation
    value = floats(reading, call)
    config: dict[str, Value] = {"axis": axes_of(layer.axis, reading.spec(value).rank), "epsilon": layer.epsilon}
    return reading.add(call, "rms_normalization", [value], config=config, weights={"scale": layer.scale})


def _group_normalization(reading: Reading, call: Call) -> Sequence[Reference]:
    layer = call.operation
    value = floats(reading, call)
    rank = reading.spec(value).rank
    axis = layer.axis % rank
    if axis != rank - 1:
        value = transposed(reading, call, value, _moved(rank, axis), "channels_last")
    config: dict[str, Value] = {"groups": layer.groups, "epsilon": layer.epsilon}
    weights = {"gamma": layer.gamma, "beta": layer.beta}
    outputs = [reading.spec(value)]
    (result,) = reading.add(call, "group_normalization", [value], config=config, weights=weights, outputs=outputs)
    if axis == rank - 1:
        return [result]
    back = tuple(int(place) for place in np.argsort(_moved(rank, axis)))
    return [transposed(reading, call, result, back, "as_before")]


def _moved(rank: int, axis: int) -> tuple[int, ...]:
    """All axes with one of them last."""
    return (*(other for other in range(rank) if other != axis), axis)


def _unit_normalization(reading: Reading, call: Call) -> Sequence[Reference]:
    value = floats(reading, call)
    axis = axes_of(call.operation.axis, reading.spec(value).rank)
    return reading.add(call, "unit_normalization", [value], config={"axis": axis})


def _normalization(reading: Reading, call: Call) -> Sequence[Reference]:
    layer = call.operation
    value = floats(reading, call)
    weights = {"mean": layer.mean, "variance": layer.variance}
    return reading.add(call, "normalization", [value], config={"invert": bool(layer.invert)}, weights=weights)


def _rescaling(reading: Reading, call: Call) -> Sequence[Reference]:
    layer = call.operation
    config: dict[str, Value] = {"scale": _per_channel(layer.scale), "offset": _per_channel(layer.offset)}
    return reading.add(call, "rescaling", [floats(reading, call)], config=config)


def _per_channel(value: Any) -> float | tuple[float, ...]:
    """A number, or one number a channel."""
    array = np.asarray(value, "float64")
    if array.ndim > 1:
        raise UnreadableError("its scale or offset has more than one axis")
    return tuple(array.tolist()) if array.ndim else float(array)


# --- embedding, activations -----------------------------------------------------------------------------------------


def _embedding(reading: Reading, call: Call) -> Sequence[Reference]:
    layer = call.operation
    if layer.mask_zero:
        raise UnreadableError("mask_zero: masks are not covered")
    if getattr(layer, "quantization_mode", None) or layer.compute_dtype != "float32":
        raise UnreadableError("computes in other than float32")
    value = reading.cast(call, only_input(call), "int32")
    config: dict[str, Value] = {"input_dim": layer.input_dim, "output_dim": layer.output_dim}
    return reading.add(call, "embedding", [value], config=config, weights={"embeddings": layer.embeddings})


def _category_encoding(reading: Reading, call: Call) -> Sequence[Reference]:
    layer = call.operation
    if layer.output_mode != "one_hot" or layer.sparse or call.arguments.get("count_weights") is not None:
        raise UnreadableError(f"output_mode {layer.output_mode!r}, weights and sparse results are not covered")
    value = reading.cast(call, only_input(call), "int32")
    spec = reading.spec(value)
    if spec.rank > 1 and spec.shape[-1] == 1:
        outputs = [Spec(spec.shape[:-1], spec.dtype)]
        (value,) = reading.add(
            call, "squeeze", [value], config={"axis": (spec.rank - 1,)}, role="squeeze", outputs=outputs
        )
    result = Spec((*reading.spec(value).shape, layer.num_tokens), layer.compute_dtype)
    config: dict[str, Value] = {"num_classes": layer.num_tokens, "axis": result.rank - 1, "dtype": result.dtype}
    return reading.add(call, "one_hot", [value], config=config, outputs=[result])


def _activation(reading: Reading, call: Call) -> Sequence[Reference]:
    value = floats(reading, call)
    return [reading.activation(call, value, call.operation.activation)]


def _relu(reading: Reading, call: Call) -> Sequence[Reference]:
    layer = call.operation
    config: dict[str, Value] = {
        "negative_slope": float(layer.negative_slope),
        "max_value": None if layer.max_value is None else float(layer.max_value),
        "threshold": float(layer.threshold),
    }
    return reading.add(call, "relu", [floats(reading, call)], config=config)


def _leaky_relu(reading: Reading, call: Call) -> Sequence[Reference]:
    config: dict[str, Value] = {"negative_slope": float(call.operation.negative_slope)}
    return reading.add(call, "leaky_relu", [floats(reading, call)], config=config)


def _elu(reading: Reading, call: Call) -> Sequence[Reference]:
    return reading.add(call, "elu", [floats(reading, call)], config={"alpha": float(call.operation.alpha)})


def _softmax(reading: Reading, call: Call) -> Sequence[Reference]:
    if call.arguments.get("mask") is not None:
        raise UnreadableError("is called with a mask")
    value = floats(reading, call)
    axes = axes_of(call.operation.axis, reading.spec(value).rank)
    return reading.add(call, "softmax", [value], config={"axis": axes[0] if len(axes) == 1 else axes})


def _prelu(reading: Reading, call: Call) -> Sequence[Reference]:
    layer = call.operation
    return reading.add(call, "prelu", [floats(reading, call)], weights={"alpha": layer.alpha})


# --- regularisation -------------------------------------------------------------------------------------------------


def _dropout(reading: Reading, call: Call) -> Sequence[Reference]:
    layer = call.operation
    shape = None if layer.noise_shape is None else numbers(layer.noise_shape)
    return reading.add(
        call, "dropout", [floats(reading, call)], config={"rate": float(layer.rate), "noise_shape": shape}
    )


def _spatial_dropout(reading: Reading, call: Call) -> Sequence[Reference]:
    layer = call.operation
    value = floats(reading, call)
    rank = reading.spec(value).rank
    first = getattr(layer, "data_format", "channels_last") == "channels_first"
    shape: tuple[Value, ...] = (None, None, *(1,) * (rank - 2)) if first else (None, *(1,) * (rank - 2), None)
    return reading.add(call, "dropout", [value], config={"rate": float(layer.rate), "noise_shape": shape})


def _gaussian_noise(reading: Reading, call: Call) -> Sequence[Reference]:
    return reading.add(call, "gaussian_noise", [floats(reading, call)], config={"stddev": float(call.operation.stddev)})


def _gaussian_dropout(reading: Reading, call: Call) -> Sequence[Reference]:
    return reading.add(call, "gaussian_dropout", [floats(reading, call)], config={"rate": float(call.operation.rate)})


def _nothing(reading: Reading, call: Call) -> Sequence[Reference]:
    """A layer that computes nothing: what it adds to the loss is no part of the model's answers."""
    return [only_input(call)]


_RANKS = ("1D", "2D", "3D")
LAYERS: dict[str, Reader] = {
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
    "CategoryEncoding": _category_encoding,
    "Activation": _activation,
    "ReLU": _relu,
    "LeakyReLU": _leaky_relu,
    "ELU": _elu,
    "Softmax": _softmax,
    "PReLU": _prelu,
    "Dropout": _dropout,
    **{f"SpatialDropout{rank}": _spatial_dropout for rank in _RANKS},
    "GaussianNoise": _gaussian_noise,
    "GaussianDropout": _gaussian_dropout,
    "ActivityRegularization": _nothing,
    "Identity": _nothing,
    **ARRANGING,
}
