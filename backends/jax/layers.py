"""Layers that JAX computes faster on a CPU in another way than Keras asks for: the same function as Keras' layers.

What a convolution or max-pooling answers is computed by Keras' own operation. XLA's are good at that, but slow at
some of their gradients on a CPU, which are written here in operations that it is good at. A short recurrence is
spelled out, step by step, instead of in a loop. On an accelerator nothing changes. For as long as a model trains they
are on the layer itself: its weights, its class and what is saved stay as they are.
"""

from __future__ import annotations

import contextlib
import itertools
import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import keras

from ..epochs import layers_of, recurrence_of

# Each place of a window is spelled out, so a large window would compile for long.
_MOST_PLACES = 16
# Up to so many time steps XLA's loop costs more than what is computed in it, for 3 units as for 128.
_MOST_STEPS = 8

Operation = Callable[..., jax.Array]
Gradients = Callable[[Any, jax.Array], tuple[jax.Array, ...]]


@contextlib.contextmanager
def tuned(model: Any) -> Iterator[None]:
    """While it lasts, the model's layers compute the same in the way that is fastest here."""
    found = layers_of(model) if jax.default_backend() == "cpu" else []
    convolving = [layer for layer in found if _convolves(layer)]
    pooling = [layer for layer in found if _pools(layer)]
    recurring = [layer for layer in found if _recurs(layer)]
    for layer in convolving:
        layer.convolution_op = _convolution(layer, layer.convolution_op)
    for layer in pooling:
        layer.call = _max_pooling(layer, layer.call)
    for layer in recurring:
        layer.inner_loop = _spelled_out(layer, layer.inner_loop)
    try:
        yield
    finally:
        for layer in convolving:
            del layer.convolution_op
        for layer in pooling:
            del layer.call
        for layer in recurring:
            del layer.inner_loop


def _convolves(layer: Any) -> bool:
    # A user's own layer may inherit from Keras', as long as it convolves as Keras does.
    return (
        isinstance(layer, keras.layers.Conv2D)
        and type(layer).convolution_op is keras.layers.Conv2D.convolution_op
        and "convolution_op" not in vars(layer)
        and layer.groups == 1
        and max(layer.dilation_rate) == 1
    )


def _pools(layer: Any) -> bool:
    kinds = keras.layers.MaxPooling1D, keras.layers.MaxPooling2D, keras.layers.MaxPooling3D
    return (
        isinstance(layer, kinds)
        and type(layer).call is keras.layers.MaxPooling2D.call
        and "call" not in vars(layer)
        and layer.pool_size == layer.strides
        and math.prod(layer.pool_size) <= _MOST_PLACES
    )


def _recurs(layer: Any) -> bool:
    # A cell of somebody's own may do at each step what it does once in a loop, such as draw a mask.
    return recurrence_of(layer) is not None and not layer.unroll


def _with_gradients(operation: Operation, gradients: Gradients) -> Operation:
    """The operation as it is, differentiated by `gradients(what went in, the gradient by what came out)`."""
    differentiated: Any = jax.custom_vjp(operation)
    differentiated.defvjp(lambda *given: (operation(*given), given), gradients)
    whole: Operation = differentiated
    return whole


def _is_exact(*arrays: jax.Array) -> bool:
    """Narrower floats are left to XLA, which sums them up in its own way."""
    return all(array.dtype in (jnp.float32, jnp.float64) for array in arrays)


# --- convolution ----------------------------------------------------------------------------------------------------


def _convolution(layer: Any, keras_operation: Operation) -> Operation:
    """A `convolution_op(inputs, kernel)` with faster gradients where the shapes promise some."""
    first = layer.data_format == "channels_first"

    def gradients(given: tuple[jax.Array, jax.Array], by_outputs: jax.Array) -> tuple[jax.Array, ...]:
        inputs, kernel = given
        _, by_keras = jax.vjp(keras_operation, inputs, kernel)
        by_inputs, by_kernel = by_keras(by_outputs)  # whichever is replaced below is never computed
        if first:
            inputs, by_outputs = jnp.moveaxis(inputs, 1, -1), jnp.moveaxis(by_outputs, 1, -1)
        margins = [
            _margins(*sizes, layer.padding)
            for sizes in zip(inputs.shape[1:3], layer.kernel_size, layer.strides, strict=True)
        ]
        if max(layer.strides) == 1:
            by_inputs = _by_inputs(kernel, by_outputs, margins)
            by_inputs = jnp.moveaxis(by_inputs, -1, 1) if first else by_inputs
        # With two to four channels it depends on the shapes, with 16 XLA's is two to five times as fast.
        if inputs.shape[-1] == 1:
            by_kernel = _by_kernel(inputs, by_outputs, kernel.shape, layer.strides, margins)
        return by_inputs, by_kernel

    differentiated = _with_gradients(keras_operation, gradients)

    def convolve(inputs: Any, kernel: Any) -> jax.Array:
        kernel = keras.ops.convert_to_tensor(kernel)
        inputs = keras.ops.convert_to_tensor(inputs)
        return (differentiated if _is_exact(inputs, kernel) else keras_operation)(inputs, kernel)

    return convolve


def _margins(size: int, window: int, stride: int, padding: str) -> tuple[int, int]:
    """What is added before and after an axis; negative after it where the last windows would not be whole."""
    if padding == "valid":
        return 0, -((size - window) % stride)
    missing = max((math.ceil(size / stride) - 1) * stride + window - size, 0)
    return missing // 2, missing - missing // 2


def _by_inputs(kernel: jax.Array, by_outputs: jax.Array, margins: list[tuple[int, int]]) -> jax.Array:
    """The gradient by the inputs of a convolution that takes every pixel: a convolution with the turned kernel.

    XLA makes it one that reads its kernel backwards, for which it has no fast code on a CPU.

    Args:
        kernel: (k, l, channels, filters).
        by_outputs: (n, height, width, filters).
        margins: what was added before and after the inputs' height and width.

    Returns:
        The inputs' shape, (n, …, channels).
    """
    turned = jnp.flip(kernel, (0, 1)).swapaxes(2, 3)
    around = [(size - 1 - low, size - 1 - high) for size, (low, high) in zip(kernel.shape[:2], margins, strict=True)]
    return jax.lax.conv_general_dilated(by_outputs, turned, (1, 1), around, dimension_numbers=("NHWC", "HWIO", "NHWC"))


def _by_kernel(
    inputs: jax.Array,
    by_outputs: jax.Array,
    shape: tuple[int, ...],
    strides: tuple[int, int],
    margins: list[tuple[int, int]],
) -> jax.Array:
    """The gradient by the kernel as one matrix product: a shifted copy of the inputs for each of its places.

    Args:
        inputs: (n, …, 1).
        by_outputs: (n, height, width, filters).
        shape: the kernel's, (k, l, 1, filters).
        margins: what was added before and after the inputs' height and width.
    """
    padded = _padded(inputs[..., 0], dict(enumerate(margins, start=1)), 0)
    (down, right), (height, width) = strides, by_outputs.shape[1:3]
    bottom, end = (height - 1) * down + 1, (width - 1) * right + 1
    # Stacked in front, the copies are copied whole; behind, as it is usual, they would be interleaved.
    copies = [
        padded[:, top : top + bottom : down, left : left + end : right]
        for top, left in itertools.product(range(shape[0]), range(shape[1]))
    ]
    return jnp.tensordot(jnp.stack(copies), by_outputs, 3).reshape(shape)


# --- max-pooling ----------------------------------------------------------------------------------------------------


def _max_pooling(layer: Any, keras_call: Operation) -> Operation:
    """A `call(inputs)` of windows that do not overlap, whose gradient goes to the first maximum of each, as Keras'."""
    start = 1 if layer.data_format == "channels_last" else 2
    windows = dict(enumerate(layer.pool_size, start=start))

    def gradients(given: tuple[jax.Array], by_outputs: jax.Array) -> tuple[jax.Array, ...]:
        (inputs,) = given
        margins = {
            axis: _margins(inputs.shape[axis], window, window, layer.padding) for axis, window in windows.items()
        }
        chosen = _first_maximum(_padded(inputs, margins, -jnp.inf), windows)
        by_inputs = _spread(by_outputs, chosen, windows)
        return (_padded(by_inputs, {axis: (-low, -high) for axis, (low, high) in margins.items()}, 0),)

    differentiated = _with_gradients(keras_call, gradients)

    def pool(inputs: Any) -> jax.Array:
        inputs = keras.ops.convert_to_tensor(inputs)
        return (differentiated if _is_exact(inputs) else keras_call)(inputs)

    return pool


def _padded(array: jax.Array, margins: Mapping[int, tuple[int, int]], value: float) -> jax.Array:
    """With that many values added before and after each axis, or taken away where it is negative."""
    widths = [(*margins.get(axis, (0, 0)), 0) for axis in range(array.ndim)]
    return jax.lax.pad(array, jnp.asarray(value, array.dtype), widths)


def _first_maximum(inputs: jax.Array, windows: Mapping[int, int]) -> jax.Array:
    """The number of the place where each window first has its maximum; `windows`: their sizes by axis."""
    places = itertools.product(*(range(size) for size in windows.values()))
    parts = []
    for place in places:
        taken = [slice(None)] * inputs.ndim
        for (axis, size), offset in zip(windows.items(), place, strict=True):
            taken[axis] = slice(offset, None, size)
        parts.append(inputs[tuple(taken)])
    best, chosen = parts[0], jnp.zeros(parts[0].shape, "int8")
    for number, part in enumerate(parts[1:], start=1):
        kept = best >= part
        best, chosen = jnp.where(kept, best, part), jnp.where(kept, chosen, jnp.int8(number))
    return chosen


def _spread(by_outputs: jax.Array, chosen: jax.Array, windows: Mapping[int, int]) -> jax.Array:
    """Each window's gradient at its chosen place, zero at the others."""
    parts = [jnp.where(chosen == number, by_outputs, 0) for number in range(math.prod(windows.values()))]
    for axis, size in reversed(list(windows.items())):  # places along the last axis are numbered one after the other
        parts = [_interleaved(parts[start : start + size], axis) for start in range(0, len(parts), size)]
    return parts[0]


def _interleaved(parts: list[jax.Array], axis: int) -> jax.Array:
    shape = list(parts[0].shape)
    shape[axis] *= len(parts)
    return jnp.stack(parts, axis + 1).reshape(shape)


# --- recurrence -----------------------------------------------------------------------------------------------------


def _spelled_out(layer: Any, keras_loop: Operation) -> Operation:
    """An `inner_loop(sequences, initial_state, mask, training)` that is unrolled over few time steps, as Keras does it.

    How many there are is known only here: a layer may be given sequences of several lengths.
    """

    def loop(sequences: Any, initial_state: Any, mask: Any, training: bool = False) -> Any:
        layer.unroll = keras.ops.shape(sequences)[1] <= _MOST_STEPS
        try:
            return keras_loop(sequences, initial_state, mask, training)
        finally:
            layer.unroll = False

    return loop
