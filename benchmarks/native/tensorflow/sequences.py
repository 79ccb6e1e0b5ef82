"""Models of series, letters and sentences in TensorFlow."""

from __future__ import annotations

from collections.abc import Mapping

import tensorflow as tf

from .attention import attention_block
from .forward_pass import ForwardPass
from .layers import dense, embedding, layer_normalization
from .recurrence import gru, lstm


def lstms(forward: ForwardPass, x: tf.Tensor) -> tf.Tensor:
    """Stacked LSTM layers, and a dense layer on the last step."""
    while forward.remaining > 2:
        x = lstm(forward, x)
    return dense(forward, x[:, -1])


def letters(forward: ForwardPass, tokens: tf.Tensor) -> tf.Tensor:
    return lstms(forward, tf.one_hot(tokens, len(forward.task.weights[0])))


def gru_forecaster(forward: ForwardPass, x: tf.Tensor) -> tf.Tensor:
    x = gru(forward, gru(forward, x))
    return dense(forward, x[:, -1])


def small_transformer(forward: ForwardPass, words: tf.Tensor) -> tf.Tensor:
    x = embedding(forward, words)
    for _ in range(forward.task.options["blocks"]):
        x = attention_block(forward, x)
    return dense(forward, forward.dropout(tf.reduce_mean(x, 1)))


def bert(forward: ForwardPass, x: Mapping[str, tf.Tensor]) -> tf.Tensor:
    embedded = embedding(forward, x["words"]) + embedding(forward, x["sentence"]) + embedding(forward, x["place"])
    hidden = forward.dropout(layer_normalization(forward, embedded, epsilon=1e-12))
    for _ in range(forward.task.options["blocks"]):
        hidden = attention_block(forward, hidden, tf.nn.gelu)
    pooled = tf.tanh(dense(forward, hidden[:, 0]))
    return dense(forward, forward.dropout(pooled))
