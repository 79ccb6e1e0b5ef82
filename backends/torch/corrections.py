"""Keras' operations that differ under PyTorch from the other backends, corrected for the time of a run.

Each function takes Keras' own function and returns the one that replaces it. Ties are broken as elsewhere: of equal
values the first comes first, and -0.0 is below 0.0. Keras 3.15 leaves them to PyTorch, whose `topk` promises no order;
keras-team/keras#23367 brings a stable one. tests/backends/same_run/test_ties.py notices when these can go.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import torch

from .attention import attention_with_masked_queries

Function = Callable[..., Any]


def stable_top_k(native: Function) -> Function:
    def top_k(x: Any, k: int, sorted: bool = True) -> Any:
        values, indices = torch.sort(keras.ops.convert_to_tensor(x), dim=-1, descending=True, stable=True)
        return torch.return_types.topk((values[..., :k], indices[..., :k]))

    return top_k


def in_top_k_without_sorting(native: Function) -> Function:
    """Keras' function takes no note of the order, and shall not pay for it."""

    def in_top_k(targets: Any, predictions: Any, k: int) -> Any:
        predictions = keras.ops.convert_to_tensor(predictions)
        targets = keras.ops.convert_to_tensor(targets, dtype="int64")[:, None]
        lowest = torch.topk(predictions, k, dim=-1).values[..., -1]
        return torch.take_along_dim(predictions, targets, dim=-1)[..., 0] >= lowest

    return in_top_k


def with_signed_zeros(native: Function) -> Function:
    """Correct `argmax` and `argmin`."""

    def first_extreme(x: Any, axis: int | None = None, keepdims: bool = False) -> Any:
        x = keras.ops.convert_to_tensor(x)
        if x.is_floating_point():
            x = torch.where((x == 0) & torch.signbit(x), -torch.finfo(x.dtype).tiny, x)
        return native(x, axis=axis, keepdims=keepdims)

    return first_extreme


def hard_tanh_with_slopes_at_its_ends(native: Function) -> Function:
    """PyTorch's `hardtanh` has the derivative 0 at -1 and 1, its `clamp` has 1."""
    return lambda x: torch.clamp(keras.ops.convert_to_tensor(x), -1.0, 1.0)


def sqrt_of_integers(native: Function) -> Function:
    """PyTorch has float32 for the root of integers, also where Keras computes in float64. Muon has such a root."""

    def sqrt(x: Any) -> Any:
        x = keras.ops.convert_to_tensor(x)
        return native(x if x.is_floating_point() or x.is_complex() else keras.ops.cast(x, keras.config.floatx()))

    return sqrt


CORRECTIONS = {
    "nn": {"dot_product_attention": attention_with_masked_queries, "hard_tanh": hard_tanh_with_slopes_at_its_ends},
    "math": {"top_k": stable_top_k, "in_top_k": in_top_k_without_sorting},
    "numpy": {"argmax": with_signed_zeros, "argmin": with_signed_zeros, "sqrt": sqrt_of_integers},
}
