"""Keras' operations that differ under TensorFlow from the other backends, corrected for the time of a run.

Each function takes Keras' own function and returns the one that replaces it. Where a function has no derivative, the
derivative is that of JAX and PyTorch: the greater and the lesser of two equal values share it, `selu` has the slope of
its exponential at 0, and `celu` has 1. TensorFlow gives the first of two equal values all of it, has the slope of the
linear part, and 2. In float64 `gelu` and the leaky relu have constants that TensorFlow rounds to float32.
tests/backends/same_run/test_ties.py notices when these can go.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import tensorflow as tf

from .attention import attention_with_exact_scale

Function = Callable[..., Any]

# The constants of selu: Klambauer et al., Self-Normalizing Neural Networks, 2017.
_ALPHA, _SCALE = 1.6732632423543772, 1.0507009873554805


def sharing_its_gradient(native: Function) -> Function:
    """Correct `maximum` and `minimum`."""

    def extreme(x1: Any, x2: Any) -> Any:
        values = native(x1, x2)
        if not isinstance(values, tf.Tensor) or not values.dtype.is_floating:
            return values
        mean = 0.5 * native(x1, x2) + 0.5 * native(x2, x1)  # the first argument of two equal ones has the gradient
        return tf.where(tf.math.is_finite(values), mean, values)

    return extreme


def selu_with_the_slope_of_its_exponential(native: Function) -> Function:
    def selu(x: Any) -> Any:
        x = tf.convert_to_tensor(x)
        below = tf.where(x > 0, tf.zeros_like(x), x)  # or the exponential of a large input would have no gradient
        return tf.where(x > 0, _SCALE * x, _SCALE * _ALPHA * tf.math.expm1(below))

    return selu


def celu_with_one_slope_at_zero(native: Function) -> Function:
    def celu(x: Any, alpha: float = 1.0) -> Any:
        x = tf.convert_to_tensor(x)
        below = tf.where(x > 0, tf.zeros_like(x), x)
        return tf.where(x > 0, x, alpha * tf.math.expm1(below / alpha))

    return celu


def gelu_of_float64(native: Function) -> Function:
    def gelu(x: Any, approximate: bool = True) -> Any:
        x = tf.convert_to_tensor(x)
        if x.dtype != tf.float64:
            return native(x, approximate=approximate)
        if approximate:
            return 0.5 * x * (1 + tf.math.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))
        return 0.5 * x * (1 + tf.math.erf(x * math.sqrt(0.5)))

    return gelu


def leaky_relu_of_float64(native: Function) -> Function:
    def leaky_relu(x: Any, negative_slope: float = 0.2) -> Any:
        x = tf.convert_to_tensor(x)
        return tf.where(x > 0, x, x * negative_slope) if x.dtype == tf.float64 else native(x, negative_slope)

    return leaky_relu


def sorted_top_k(native: Function) -> Function:
    """Without `sorted`, each backend has an order of its own."""
    return lambda x, k, sorted=True: native(x, k, sorted=True)


def in_top_k_of_float64(native: Function) -> Function:
    """TensorFlow's kernel takes float32 only."""

    def in_top_k(targets: Any, predictions: Any, k: int) -> Any:
        predictions = tf.convert_to_tensor(predictions)
        if predictions.dtype != tf.float64:
            return native(targets, predictions, k)
        of_targets = tf.gather(predictions, targets, axis=-1, batch_dims=1)
        larger = tf.reduce_sum(tf.cast(predictions > of_targets[:, None], "int32"), axis=-1)
        return tf.math.is_finite(of_targets) & (larger < k)

    return in_top_k


CORRECTIONS = {
    "nn": {
        "dot_product_attention": attention_with_exact_scale,
        "selu": selu_with_the_slope_of_its_exponential,
        "celu": celu_with_one_slope_at_zero,
        "gelu": gelu_of_float64,
        "leaky_relu": leaky_relu_of_float64,
    },
    "math": {"top_k": sorted_top_k, "in_top_k": in_top_k_of_float64},
    "numpy": {"maximum": sharing_its_gradient, "minimum": sharing_its_gradient},
}
