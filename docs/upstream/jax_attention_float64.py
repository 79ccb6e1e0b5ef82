"""Attention of float64 inputs under JAX, against NumPy; exits with 0 while its error is that of float32."""

import sys

import jax
import numpy as np

jax.config.update("jax_enable_x64", True)
query, key, value = np.random.default_rng(0).normal(size=(3, 1, 3, 1, 4))  # (batch, length, heads, features) each

scores = np.einsum("btnh,bsnh->bnts", query, key) / 2  # the square root of four features
weights = np.exp(scores - scores.max(-1, keepdims=True))
expected = np.einsum("bnts,bsnh->btnh", weights / weights.sum(-1, keepdims=True), value)
output = jax.nn.dot_product_attention(query, key, value)

difference = np.abs(np.asarray(output) - expected).max()
print(f"JAX {jax.__version__}: {output.dtype}, off by {difference:.2g}")
sys.exit(0 if difference > 1e-12 else 1)
