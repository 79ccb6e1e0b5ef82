"""Attention with right gradients where all keys of a query are masked.

`Embedding(mask_zero=True)` before `MultiHeadAttention` masks every key of a padded query. Keras 3.15 gives PyTorch's
fused attention the mask as numbers that are added to the scores: -2.4e38 for a masked key. The backward pass of the
fused kernels computes the attention again from the logarithm of its denominator, log(e^-2.4e38 · n), and there log(n)
is lost to rounding: each of n masked keys gets the weight 1 instead of 1 / n. The loss is right; the gradients of
query, key, value and embedding are not. TensorFlow and JAX replace the scores of masked keys, and are right.

docs/upstream/keras-torch-attention.md is the report. Its reproducer notices when this can go, and a test runs it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import torch

Attention = Callable[..., Any]


def attention_with_masked_queries(native: Attention) -> Attention:
    """Return Keras' `dot_product_attention` under PyTorch, corrected; `native` is the function to be replaced."""

    def dot_product_attention(
        query: Any, key: Any, value: Any, bias: Any = None, mask: Any = None, *settings: Any, **keywords: Any
    ) -> Any:
        # Keras refuses inputs that are not of rank 4, and a mask beside a bias.
        if mask is None or bias is not None or settings or any(len(x.shape) != 4 for x in (query, key, value)):
            return native(query, key, value, bias, mask, *settings, **keywords)
        query, allowed = keras.ops.convert_to_tensor(query), keras.ops.convert_to_tensor(mask, dtype="bool")
        if keywords.pop("is_causal", False):
            shape = query.shape[1], key.shape[1]
            allowed = allowed & torch.ones(shape, dtype=torch.bool, device=allowed.device).tril()
        allowed = allowed[(None,) * (4 - allowed.ndim)]  # (batch, heads, queries, keys), where an axis may be of one
        # A query without keys gets equal weights, as elsewhere: all scores are zero, whatever the keys are.
        attends = allowed.any(dim=-1, keepdim=True)
        query = torch.where(attends.transpose(1, 2), query, 0.0)
        lowest = 0.7 * torch.finfo(query.dtype).min
        scores = query.new_zeros(allowed.shape).masked_fill(attends & ~allowed, lowest)
        return native(query, key, value, scores, None, **keywords)

    return dot_product_attention
