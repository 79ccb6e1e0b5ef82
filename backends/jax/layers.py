"""Faster layers for JAX on a CPU that compute the same function as Keras' layers.

The forward pass of a convolution or max-pooling is Keras' own operation, which XLA computes fast. Some of their
gradients are slow in XLA on a CPU, so they are written here in operations that are fast. A short recurrence is unrolled
instead of looped. On an accelerator nothing changes. The replacements are set on the layer instances while a model
trains; weights, classes and saved files stay the same.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Any

import jax
import jax.numpy as jnp
import keras

from ..epochs import layers_of, recurrence_of
from ..tuned_layers import Tuning, computes_as, tuned_layers

# Each element of a window becomes an operation of its own, so a large window would compile for long.
_MAX_WINDOW_SIZE = 16
# Up to this many time steps XLA's loop costs more than its computation, for 3 units as for 128.
_MAX_UNROLLED_STEPS = 8

Operation = Callable[..., jax.Array]
Gradients = Callable[[Any, jax.Array], tuple[jax.Array, ...]]


def tuned(model: Any) -> AbstractContextManager[None]:
    """Within this context, the model's layers use the fastest implementation of the same function."""
    return tuned_layers(layers_of(model) if jax.default_backend() == "cpu" else [], _TUNINGS)


def _is_tunable_convolution(layer: Any) -> bool:
    # A subclass qualifies as long as it does not override the convolution.
    return (
        computes_as(layer, keras.layers.Conv2D, "convolution_op")
        and layer.groups == 1
        and max(layer.dilation_rate) == 1
    )


def _is_tunable_enlargement(layer: Any) -> bool:
    return (
        computes_as(layer, keras.layers.Conv2DTranspose, "call")
        and layer.kernel_size == layer.strides
        and max(layer.dilation_rate) == 1
        and layer.output_padding is None
        and layer.data_format == "channels_last"
    )


def _is_tunable_pooling(layer: Any) -> bool:
    kinds = keras.layers.MaxPooling1D, keras.layers.MaxPooling2D, keras.layers.MaxPooling3D
    return (
        any(computes_as(layer, kind, "call") for kind in kinds)
        and layer.pool_size == layer.strides
        and math.prod(layer.pool_size) <= _MAX_WINDOW_SIZE
    )


def _is_tunable_recurrence(layer: Any) -> bool:
    # A custom cell is left alone: unrolled, it could run at each step what a loop traces once, such as drawing a mask.
    return recurrence_of(layer) is not None and not layer.unroll


def _with_gradients(operation: Operation, gradients: Gradients) -> Operation:
    """Return the operation with another gradient: `gradients(arguments, output_gradient)`."""
    with_vjp: Any = jax.custom_vjp(operation)
    with_vjp.defvjp(lambda *arguments: (operation(*arguments), arguments), gradients)
    tuned_operation: Operation = with_vjp
    return tuned_operation


def _is_exact(*arrays: jax.Array) -> bool:
    """Return whether all are float32 or float64. XLA accumulates narrower floats in its own way."""
    return all(array.dtype in (jnp.float32, jnp.float64) for array in arrays)


# --- convolution ----------------------------------------------------------------------------------------------------


def _convolution(layer: Any, keras_operation: Operation) -> Operation:
    """Return a `convolution_op(inputs, kernel)` with faster gradients for the shapes that gain from them."""
    channels_first = layer.data_format == "channels_first"

    def gradients(arguments: tuple[jax.Array, jax.Array], output_gradient: jax.Array) -> tuple[jax.Array, ...]:
        inputs, kernel = arguments
        _, keras_vjp = jax.vjp(keras_operation, inputs, kernel)
        input_gradient, kernel_gradient = keras_vjp(output_gradient)  # XLA removes the one that is replaced below
        if channels_first:
            inputs, output_gradient = jnp.moveaxis(inputs, 1, -1), jnp.moveaxis(output_gradient, 1, -1)
        margins = [
            _margins(*sizes, layer.padding)
            for sizes in zip(inputs.shape[1:3], layer.kernel_size, layer.strides, strict=True)
        ]
        if max(layer.kernel_size) == 1:
            input_gradient, kernel_gradient = _pixel_gradients(inputs, kernel, output_gradient, layer.strides)
            return jnp.moveaxis(input_gradient, -1, 1) if channels_first else input_gradient, kernel_gradient
        if max(layer.strides) == 1:
            input_gradient = _input_gradient(kernel, output_gradient, margins)
            input_gradient = jnp.moveaxis(input_gradient, -1, 1) if channels_first else input_gradient
        # With two to four channels the shapes decide; with 16 channels XLA's is two to five times as fast.
        if inputs.shape[-1] == 1:
            kernel_gradient = _kernel_gradient(inputs, output_gradient, kernel.shape, layer.strides, margins)
        return input_gradient, kernel_gradient

    tuned_operation = _with_gradients(keras_operation, gradients)

    def convolve(inputs: Any, kernel: Any) -> jax.Array:
        kernel = keras.ops.convert_to_tensor(kernel)
        inputs = keras.ops.convert_to_tensor(inputs)
        return (tuned_operation if _is_exact(inputs, kernel) else keras_operation)(inputs, kernel)

    return convolve


def _margins(size: int, window: int, stride: int, padding: str) -> tuple[int, int]:
    """Return the padding before and after an axis; the latter is negative if the last window would not fit."""
    if padding == "valid":
        return 0, -((size - window) % stride)
    missing = max((math.ceil(size / stride) - 1) * stride + window - size, 0)
    return missing // 2, missing - missing // 2


def _input_gradient(kernel: jax.Array, output_gradient: jax.Array, margins: list[tuple[int, int]]) -> jax.Array:
    """Return the input gradient of a convolution of stride 1: a convolution with the flipped kernel.

    XLA's own gradient reads the kernel backwards, for which XLA has no fast code on a CPU.

    Args:
        kernel: (k, l, channels, filters).
        by_outputs: (n, height, width, filters).
        margins: what was added before and after the inputs' height and width.

    Returns:
        The inputs' shape, (n, …, channels).
    """
    flipped = jnp.flip(kernel, (0, 1)).swapaxes(2, 3)
    padding = [(size - 1 - low, size - 1 - high) for size, (low, high) in zip(kernel.shape[:2], margins, strict=True)]
    return jax.lax.conv_general_dilated(
        output_gradient, flipped, (1, 1), padding, dimension_numbers=("NHWC", "HWIO", "NHWC")
    )


def _pixel_gradients(
    inputs: jax.Array, kernel: jax.Array, output_gradient: jax.Array, strides: tuple[int, int]
) -> tuple[jax.Array, jax.Array]:
    """Return both gradients of a convolution of single pixels, which is a product of matrices.

    Args:
        inputs: (n, height, width, channels).
        kernel: (1, 1, channels, filters).
        output_gradient: (n, …, filters), of every so many pixels.
    """
    pixels = inputs[:, :: strides[0], :: strides[1]]
    kernel_gradient = jnp.tensordot(pixels, output_gradient, ((0, 1, 2), (0, 1, 2)))
    input_gradient = jnp.tensordot(output_gradient, kernel[0, 0], ((3,), (1,)))
    if max(strides) > 1:
        places = [
            (0, size - 1 - (count - 1) * stride, stride - 1)
            for size, count, stride in zip(inputs.shape[1:3], pixels.shape[1:3], strides, strict=True)
        ]
        zero = jnp.zeros((), input_gradient.dtype)
        input_gradient = jax.lax.pad(input_gradient, zero, [(0, 0, 0), *places, (0, 0, 0)])
    return input_gradient, kernel_gradient[None, None]


def _kernel_gradient(
    inputs: jax.Array,
    output_gradient: jax.Array,
    shape: tuple[int, ...],
    strides: tuple[int, int],
    margins: list[tuple[int, int]],
) -> jax.Array:
    """Return the kernel gradient as one matrix product, with a shifted copy of the inputs for each kernel element.

    Args:
        inputs: (n, …, 1).
        by_outputs: (n, height, width, filters).
        shape: the shape of the kernel, (k, l, 1, filters).
        margins: what was added before and after the inputs' height and width.
    """
    padded = _pad(inputs[..., 0], dict(enumerate(margins, start=1)), 0)
    (down, right), (height, width) = strides, output_gradient.shape[1:3]
    bottom, end = (height - 1) * down + 1, (width - 1) * right + 1
    # Stacking along the first axis copies contiguous blocks; along the last axis it would interleave.
    copies = [
        padded[:, top : top + bottom : down, left : left + end : right]
        for top, left in itertools.product(range(shape[0]), range(shape[1]))
    ]
    return jnp.tensordot(jnp.stack(copies), output_gradient, 3).reshape(shape)


def _enlarging(layer: Any, keras_call: Operation) -> Operation:
    """Return a `call(inputs)` of a transposed convolution whose kernels do not overlap: one product of matrices.

    XLA has no fast code for it on a CPU: it convolves pictures with zeros between their pixels.
    """

    def enlarge(inputs: Any) -> jax.Array:
        inputs, kernel = (keras.ops.convert_to_tensor(array) for array in (inputs, layer.kernel))
        if not _is_exact(inputs, kernel):
            return keras_call(inputs)
        count, height, width, _ = inputs.shape
        down, right, filters, _ = kernel.shape
        blocks = jnp.einsum("nhwc,ijfc->nhiwjf", inputs, kernel)
        outputs = blocks.reshape(count, height * down, width * right, filters)
        if layer.use_bias:
            outputs = outputs + keras.ops.convert_to_tensor(layer.bias)
        return outputs if layer.activation is None else layer.activation(outputs)

    return enlarge


# --- max-pooling ----------------------------------------------------------------------------------------------------


def _max_pooling(layer: Any, keras_call: Operation) -> Operation:
    """Return a `call(inputs)` for disjoint windows. As in Keras, the gradient goes to the first maximum of each."""
    start = 1 if layer.data_format == "channels_last" else 2
    windows = dict(enumerate(layer.pool_size, start=start))

    def gradients(arguments: tuple[jax.Array], output_gradient: jax.Array) -> tuple[jax.Array, ...]:
        (inputs,) = arguments
        margins = {
            axis: _margins(inputs.shape[axis], window, window, layer.padding) for axis, window in windows.items()
        }
        argmax = _first_maximum(_pad(inputs, margins, -jnp.inf), windows)
        input_gradient = _scatter_to_argmax(output_gradient, argmax, windows)
        return (_pad(input_gradient, {axis: (-low, -high) for axis, (low, high) in margins.items()}, 0),)

    tuned_operation = _with_gradients(keras_call, gradients)

    def pool(inputs: Any) -> jax.Array:
        inputs = keras.ops.convert_to_tensor(inputs)
        return (tuned_operation if _is_exact(inputs) else keras_call)(inputs)

    return pool


def _pad(array: jax.Array, margins: Mapping[int, tuple[int, int]], value: float) -> jax.Array:
    """Return the array with values added before and after each axis, or removed where a margin is negative."""
    widths = [(*margins.get(axis, (0, 0)), 0) for axis in range(array.ndim)]
    return jax.lax.pad(array, jnp.asarray(value, array.dtype), widths)


def _first_maximum(inputs: jax.Array, windows: Mapping[int, int]) -> jax.Array:
    """Return the index of the first maximum within each window; `windows` has the window sizes by axis."""
    places = itertools.product(*(range(size) for size in windows.values()))
    parts = []
    for place in places:
        index = [slice(None)] * inputs.ndim
        for (axis, size), offset in zip(windows.items(), place, strict=True):
            index[axis] = slice(offset, None, size)
        parts.append(inputs[tuple(index)])
    best, argmax = parts[0], jnp.zeros(parts[0].shape, "int8")
    for number, part in enumerate(parts[1:], start=1):
        is_best = best >= part
        best, argmax = jnp.where(is_best, best, part), jnp.where(is_best, argmax, jnp.int8(number))
    return argmax


def _scatter_to_argmax(output_gradient: jax.Array, argmax: jax.Array, windows: Mapping[int, int]) -> jax.Array:
    """Return each window's gradient at its maximum and zeros elsewhere."""
    parts = [jnp.where(argmax == number, output_gradient, 0) for number in range(math.prod(windows.values()))]
    for axis, size in reversed(list(windows.items())):  # the last axis varies fastest
        parts = [_interleave(parts[start : start + size], axis) for start in range(0, len(parts), size)]
    return parts[0]


def _interleave(parts: list[jax.Array], axis: int) -> jax.Array:
    shape = list(parts[0].shape)
    shape[axis] *= len(parts)
    return jnp.stack(parts, axis + 1).reshape(shape)


# --- recurrence -----------------------------------------------------------------------------------------------------


def _unrolled(layer: Any, keras_loop: Operation) -> Operation:
    """Return an `inner_loop(sequences, initial_state, mask, training)` that lets Keras unroll short sequences.

    The number of time steps is known only here, because a layer may be called with several lengths.
    """

    def loop(sequences: Any, initial_state: Any, mask: Any, training: bool = False) -> Any:
        layer.unroll = keras.ops.shape(sequences)[1] <= _MAX_UNROLLED_STEPS
        try:
            return keras_loop(sequences, initial_state, mask, training)
        finally:
            layer.unroll = False

    return loop


_TUNINGS: list[Tuning] = [
    (_is_tunable_convolution, "convolution_op", _convolution),
    (_is_tunable_enlargement, "call", _enlarging),
    (_is_tunable_pooling, "call", _max_pooling),
    (_is_tunable_recurrence, "inner_loop", _unrolled),
]
