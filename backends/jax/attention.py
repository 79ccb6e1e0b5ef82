"""Attention that is computed in float64 where its inputs are float64.

`jax.nn.dot_product_attention` computes its softmax in float32 whatever its inputs are, and so does Keras 3.15 under
JAX. Then a model with attention has an error of 1e-8 in float64, where TensorFlow and PyTorch have one of 1e-16.

docs/upstream/jax-attention-float64.md is the report. Its reproducer notices when this can go, and a test runs it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

Attention = Callable[..., Any]


def attention_in_float64(native: Attention) -> Attention:
    """Return Keras' `dot_product_attention` under JAX, corrected; `native` is the function to be replaced."""

    def dot_product_attention(
        query: Any,
        key: Any,
        value: Any,
        bias: Any = None,
        mask: Any = None,
        scale: Any = None,
        is_causal: bool = False,
        **keywords: Any,
    ) -> Any:
        inputs = [jnp.asarray(x) for x in (query, key, value)]
        if (
            jnp.result_type(*inputs) != jnp.float64
            or any(x.ndim != 4 for x in inputs)
            or keywords.get("flash_attention")
        ):
            return native(query, key, value, bias, mask, scale, is_causal, **keywords)
        query, key, value = (x.astype(jnp.float64) for x in inputs)
        heads, shared = query.shape[2], query.shape[2] // key.shape[2]
        if shared > 1:
            key, value = (jnp.repeat(x, shared, axis=2, total_repeat_length=heads) for x in (key, value))
        scores = jnp.einsum("btnh,bsnh->bnts", query, key) * (query.shape[-1] ** -0.5 if scale is None else scale)
        if bias is not None:
            scores += bias
        allowed = True if mask is None else jnp.asarray(mask, bool)
        if is_causal:
            allowed &= jnp.tril(jnp.ones(scores.shape[2:], bool))
        weights = jax.nn.softmax(jnp.where(allowed, scores, 0.7 * jnp.finfo(scores.dtype).min), axis=-1)
        return jnp.einsum("bnts,bsnh->btnh", weights, value)

    return dot_product_attention
