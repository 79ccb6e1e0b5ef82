"""Convolutions, max-pooling and one-hot codes as a CPU computes them best: the same function as Keras' layers.

Keras keeps the channels last and turns every picture round for PyTorch, and back; PyTorch's kernels read channels last
as they lie. Bias and relu are done where the convolution has just written. On an accelerator nothing changes.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import keras
import torch
import torch.nn.functional as functional

Call = Callable[..., Any]


def convolves(layer: Any) -> bool:
    """Whether it is a Keras convolution of pictures, which a user's own may inherit from as long as it computes so."""
    kind = keras.layers.Conv2D
    return (
        isinstance(layer, kind)
        and type(layer).convolution_op is kind.convolution_op
        and type(layer).call is kind.call
        and not {"convolution_op", "call"} & set(vars(layer))
        and layer.data_format == "channels_last"
    )


def convolution(layer: Any, keras_call: Call) -> Call:
    """A `call(inputs)` for a layer that `convolves`; the kernel is read at each call, for it learns."""

    def call(inputs: Any) -> Any:
        inputs, kernel = keras.ops.convert_to_tensor(inputs), keras.ops.convert_to_tensor(layer.kernel)
        if not _is_exact(inputs, kernel) or inputs.shape[-1] != kernel.shape[2] * layer.groups:
            return keras_call(inputs)
        pictures, padding = _padded(layer, inputs.permute(0, 3, 1, 2))
        bias = keras.ops.convert_to_tensor(layer.bias) if layer.use_bias else None
        turned = kernel.permute(3, 2, 0, 1).contiguous(memory_format=torch.channels_last)
        outputs = functional.conv2d(pictures, turned, bias, layer.strides, padding, layer.dilation_rate, layer.groups)
        if layer.activation is keras.activations.relu:
            return outputs.relu_().permute(0, 2, 3, 1)
        return layer.activation(outputs.permute(0, 2, 3, 1))

    return call


def _padded(layer: Any, pictures: torch.Tensor) -> tuple[torch.Tensor, list[int]]:
    """The pictures, (n, channels, height, width), and what the convolution itself is to add on both sides of them."""
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
    """What `same` adds before and after an axis."""
    missing = max((math.ceil(size / stride) - 1) * stride + (window - 1) * dilation + 1 - size, 0)
    return missing // 2, missing - missing // 2


def pools(layer: Any) -> bool:
    """Whether it is a Keras max-pooling of pictures."""
    kind = keras.layers.MaxPooling2D
    return (
        isinstance(layer, kind)
        and type(layer).call is kind.call
        and "call" not in vars(layer)
        and layer.data_format == "channels_last"
    )


def max_pooling(layer: Any, keras_call: Call) -> Call:
    """A `call(inputs)` for a layer that `pools`."""

    def call(inputs: Any) -> Any:
        inputs = keras.ops.convert_to_tensor(inputs)
        sizes = zip(inputs.shape[1:3], layer.pool_size, layer.strides, (1, 1), strict=True)
        if not _is_exact(inputs) or (layer.padding == "same" and any(any(_margins(*given)) for given in sizes)):
            return keras_call(inputs)
        pooled = functional.max_pool2d(inputs.permute(0, 3, 1, 2), layer.pool_size, layer.strides)
        return pooled.permute(0, 2, 3, 1)

    return call


def encodes(layer: Any) -> bool:
    """Whether it is a Keras layer that makes one-hot codes of whole numbers."""
    kind = keras.layers.CategoryEncoding
    return (
        isinstance(layer, kind)
        and type(layer).call is kind.call
        and "call" not in vars(layer)
        and layer.output_mode == "one_hot"
        and not layer.sparse
    )


def one_hot(layer: Any, keras_call: Call) -> Call:
    """A `call(inputs)` for a layer that `encodes`: Keras' goes through 64-bit integers three times."""

    def call(inputs: Any, count_weights: Any = None) -> Any:
        inputs = keras.ops.convert_to_tensor(inputs)
        if count_weights is not None or inputs.dtype.is_floating_point or not inputs.ndim or inputs.shape[-1] == 1:
            return keras_call(inputs, count_weights=count_weights)
        codes = inputs.new_zeros((*inputs.shape, layer.num_tokens), dtype=getattr(torch, layer.compute_dtype))
        places = inputs.long().unsqueeze(-1)  # negative ones mean nothing, and have no code
        return codes.scatter_(-1, places.clamp(min=0), (places >= 0).to(codes.dtype))

    return call


def _is_exact(*tensors: torch.Tensor) -> bool:
    """Whether they are floats on a CPU that are wide enough not to be rounded otherwise on another way."""
    return all(tensor.dtype in (torch.float32, torch.float64) and tensor.device.type == "cpu" for tensor in tensors)
