"""Keras' operations that differ under JAX from the other backends, corrected for the time of a run.

Each function takes Keras' own function and returns the one that replaces it. Where a function has no derivative, the
derivative is that of TensorFlow and PyTorch: 0 for |x| at 0, 1 for `clip` at its bounds, the slope for the leaky relu
at 0. JAX has 1, 1/2, and 1. It matters: the pre-activations of an empty image are exactly 0 before the first step, and
so are the biases that an L1 regulariser shrinks. tests/backends/same_run/test_ties.py notices when these can go.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax.lax
import jax.numpy as jnp

from .attention import attention_in_float64

Function = Callable[..., Any]


def top_k_with_equal_zeros(native: Function) -> Function:
    """JAX takes 0.0 for larger than -0.0; TensorFlow and PyTorch take the first of them."""

    def top_k(x: Any, k: int, sorted: bool = True) -> Any:
        x = jnp.asarray(x)
        _, indices = native(jnp.where(x == 0, jnp.zeros_like(x), x), k, sorted=sorted)
        return jnp.take_along_axis(x, indices, axis=-1), indices

    return top_k


def absolute_without_slope_at_zero(native: Function) -> Function:
    def absolute(x: Any) -> Any:
        values = native(x)
        return jnp.where(values == 0, jnp.zeros_like(values), values)

    return absolute


def clip_with_slopes_at_its_bounds(native: Function) -> Function:
    def clip(x: Any, x_min: Any, x_max: Any) -> Any:
        values = native(x, x_min, x_max)
        is_inside = (x >= x_min) & (x <= x_max)
        return jnp.where(is_inside, jnp.asarray(x, values.dtype), values)

    return clip


def leaky_relu_with_its_slope_at_zero(native: Function) -> Function:
    def leaky_relu(x: Any, negative_slope: float = 0.2) -> Any:
        x = jnp.asarray(x)
        return jnp.where(x > 0, x, x * negative_slope)

    return leaky_relu


def sparse_sigmoid_without_slopes_at_its_ends(native: Function) -> Function:
    def sparse_sigmoid(x: Any) -> Any:
        values = native(x)
        return jnp.where((values == 0) | (values == 1), jax.lax.stop_gradient(values), values)

    return sparse_sigmoid


CORRECTIONS = {
    "nn": {
        "dot_product_attention": attention_in_float64,
        "leaky_relu": leaky_relu_with_its_slope_at_zero,
        "sparse_sigmoid": sparse_sigmoid_without_slopes_at_its_ends,
    },
    "math": {"top_k": top_k_with_equal_zeros},
    "numpy": {
        "absolute": absolute_without_slope_at_zero,
        "abs": absolute_without_slope_at_zero,
        "clip": clip_with_slopes_at_its_bounds,
    },
}
