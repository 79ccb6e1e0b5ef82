"""Faster convolutions, max-pooling and one-hot encoding on a CPU that compute the same function as Keras' layers.

Keras copies channels-last images to channels first for PyTorch, and back. PyTorch's kernels read channels-last memory
directly. The bias is added inside the convolution, and relu works in place. On an accelerator nothing changes.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import keras
import torch
import torch.nn.functional as functional

from ..tuned_layers import computes_as

CallMethod = Callable[..., Any]


def is_tunable_convolution(layer: Any) -> bool:
    """Return whether it is a Keras Conv2D, or a subclass that does not override the computation."""
    is_plain = computes_as(layer, keras.layers.Conv2D, "convolution_op", "call")
    return is_plain and bool(layer.data_format == "channels_last")


def convolution(layer: Any, keras_call: CallMethod) -> CallMethod:
    """Return a `call(inputs)` for a tunable convolution. Each call reads the kernel, which training changes."""

    def call(inputs: Any) -> Any:
        inputs, kernel = keras.ops.convert_to_tensor(inputs), keras.ops.convert_to_tensor(layer.kernel)
        if not _is_exact(inputs, kernel) or inputs.shape[-1] != kernel.shape[2] * layer.groups:
            return keras_call(inputs)
        pictures, padding = _pad(layer, inputs.permute(0, 3, 1, 2))
        bias = keras.ops.convert_to_tensor(layer.bias) if layer.use_bias else None
        weight = kernel.permute(3, 2, 0, 1).contiguous(memory_format=torch.channels_last)
        outputs = functional.conv2d(pictures, weight, bias, layer.strides, padding, layer.dilation_rate, layer.groups)
        if layer.activation is keras.activations.relu:
            return outputs.relu_().permute(0, 2, 3, 1)
        return layer.activation(outputs.permute(0, 2, 3, 1))

    return call


def _pad(layer: Any, pictures: torch.Tensor) -> tuple[torch.Tensor, list[int]]:
    """Return the images (n, channels, height, width), and the padding for the convolution itself to add."""
    if layer.padding == "valid":
        return pictures, [0, 0]
    margins = [
        _margins(*sizes)
        for sizes in zip(pictures.shape[2:], layer.kernel_size, layer.strides, layer.dilation_rate, strict=True)
    ]
    if all(before == after for before, after in margins):
        return pictures, [before for before, _ in margins]
    (top, bottom), (left, right) = margins
    return functional.pad(pictures, (left, right, top, bottom)), [0, 0]


def _margins(size: int, window: int, stride: int, dilation: int) -> tuple[int, int]:
    """Return the padding of "same" before and after an axis."""
    missing = max((math.ceil(size / stride) - 1) * stride + (window - 1) * dilation + 1 - size, 0)
    return missing // 2, missing - missing // 2


def is_tunable_pooling(layer: Any) -> bool:
    """Return whether it is a Keras MaxPooling2D."""
    return computes_as(layer, keras.layers.MaxPooling2D, "call") and bool(layer.data_format == "channels_last")


def max_pooling(layer: Any, keras_call: CallMethod) -> CallMethod:
    """Return a `call(inputs)` for a tunable max-pooling."""

    def call(inputs: Any) -> Any:
        inputs = keras.ops.convert_to_tensor(inputs)
        sizes = zip(inputs.shape[1:3], layer.pool_size, layer.strides, (1, 1), strict=True)
        if not _is_exact(inputs) or (layer.padding == "same" and any(any(_margins(*size)) for size in sizes)):
            return keras_call(inputs)
        pooled = functional.max_pool2d(inputs.permute(0, 3, 1, 2), layer.pool_size, layer.strides)
        return pooled.permute(0, 2, 3, 1)

    return call


def is_one_hot_encoding(layer: Any) -> bool:
    """Return whether it is a Keras CategoryEncoding with one-hot output."""
    kind = keras.layers.CategoryEncoding
    return (
        isinstance(layer, kind)
        and type(layer).call is kind.call
        and "call" not in vars(layer)
        and layer.output_mode == "one_hot"
        and not layer.sparse
    )


def one_hot(layer: Any, keras_call: CallMethod) -> CallMethod:
    """Return a `call(inputs)` for a one-hot encoding. Keras' makes three passes over 64-bit integers."""

    def call(inputs: Any, count_weights: Any = None) -> Any:
        inputs = keras.ops.convert_to_tensor(inputs)
        if count_weights is not None or inputs.dtype.is_floating_point or not inputs.ndim or inputs.shape[-1] == 1:
            return keras_call(inputs, count_weights=count_weights)
        codes = inputs.new_zeros((*inputs.shape, layer.num_tokens), dtype=getattr(torch, layer.compute_dtype))
        places = inputs.long().unsqueeze(-1)  # a negative integer is encoded as zeros
        return codes.scatter_(-1, places.clamp(min=0), (places >= 0).to(codes.dtype))

    return call


def _is_exact(*tensors: torch.Tensor) -> bool:
    """Return whether all are float32 or float64 on a CPU; narrower floats would be rounded differently."""
    return all(tensor.dtype in (torch.float32, torch.float64) and tensor.device.type == "cpu" for tensor in tensors)
