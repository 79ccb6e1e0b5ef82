"""Attention whose default scale has the precision of its inputs.

Keras 3.15 computes the default scale, one over the square root of the features, in float32 under TensorFlow. In float64
the scores then have an error of 1e-8, where JAX and PyTorch have none. It shows only while `float64_preserved` of
`keras_internals.py` keeps float64. A test in tests/backends/same_run/test_operations.py notices when this can go.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Attention = Callable[..., Any]


def attention_with_exact_scale(native: Attention) -> Attention:
    """Return Keras' `dot_product_attention` under TensorFlow, corrected; `native` is the function to be replaced."""

    def dot_product_attention(
        query: Any, key: Any, value: Any, bias: Any = None, mask: Any = None, scale: Any = None, **keywords: Any
    ) -> Any:
        features = key.shape[-1]
        if scale is None and features is not None:
            scale = features**-0.5
        return native(query, key, value, bias, mask, scale, **keywords)

    return dot_product_attention
