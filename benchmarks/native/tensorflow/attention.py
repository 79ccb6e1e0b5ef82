"""A block of an encoder in TensorFlow: self-attention and two dense layers, each added to its input and normalised."""

from __future__ import annotations

from collections.abc import Callable

import tensorflow as tf

from .forward_pass import ForwardPass
from .layers import dense, layer_normalization


def attention_block(
    forward: ForwardPass, x: tf.Tensor, activation: Callable[[tf.Tensor], tf.Tensor] = tf.nn.relu
) -> tf.Tensor:
    """(n, length, width) → (n, length, width)."""
    attended = forward.dropout(_attention(forward, x))
    x = layer_normalization(forward, x + attended)
    hidden = forward.dropout(dense(forward, activation(dense(forward, x))))
    return layer_normalization(forward, x + hidden)


def _attention(forward: ForwardPass, x: tf.Tensor) -> tf.Tensor:
    query, key, value = (_heads(forward, x) for _ in range(3))
    kernel, bias = forward.take(2)
    scores = tf.matmul(query * query.shape[-1] ** -0.5, key, transpose_b=True)
    shares = forward.dropout(tf.nn.softmax(scores))
    attended = tf.transpose(tf.matmul(shares, value), [0, 2, 1, 3])
    return tf.tensordot(attended, kernel, 2) + bias


def _heads(forward: ForwardPass, x: tf.Tensor) -> tf.Tensor:
    """(n, length, width) → (n, heads, length, width / heads)."""
    kernel, bias = forward.take(2)
    return tf.transpose(tf.tensordot(x, kernel, 1) + bias, [0, 2, 1, 3])
