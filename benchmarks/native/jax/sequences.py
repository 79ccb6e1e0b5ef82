"""Models of series, letters and sentences in JAX."""

from __future__ import annotations

from collections.abc import Mapping

import jax
import jax.numpy as jnp

from .attention import attention_block
from .forward_pass import ForwardPass
from .layers import dense, embedding, layer_normalization
from .recurrence import gru, lstm


def lstms(forward: ForwardPass, x: jax.Array) -> jax.Array:
    """Stacked LSTM layers, and a dense layer on the last step."""
    x = x.swapaxes(0, 1)
    while forward.remaining > 2:
        x = lstm(forward, x)
    return dense(forward, x[-1])


def letters(forward: ForwardPass, tokens: jax.Array) -> jax.Array:
    return lstms(forward, jax.nn.one_hot(tokens, len(forward.task.weights[0])))


def gru_forecaster(forward: ForwardPass, x: jax.Array) -> jax.Array:
    x = gru(forward, gru(forward, x.swapaxes(0, 1)))
    return dense(forward, x[-1])


def small_transformer(forward: ForwardPass, words: jax.Array) -> jax.Array:
    x = embedding(forward, words)
    for _ in range(forward.task.options["blocks"]):
        x = attention_block(forward, x)
    return dense(forward, forward.dropout(x.mean(1)))


def bert(forward: ForwardPass, x: Mapping[str, jax.Array]) -> jax.Array:
    embedded = embedding(forward, x["words"]) + embedding(forward, x["sentence"]) + embedding(forward, x["place"])
    hidden = forward.dropout(layer_normalization(forward, embedded, epsilon=1e-12))
    for _ in range(forward.task.options["blocks"]):
        hidden = attention_block(forward, hidden, lambda x: jax.nn.gelu(x, approximate=False))
    pooled = jnp.tanh(dense(forward, hidden[:, 0]))
    return dense(forward, forward.dropout(pooled))
