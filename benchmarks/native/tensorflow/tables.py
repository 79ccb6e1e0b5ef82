"""Models of tables in TensorFlow."""

from __future__ import annotations

import tensorflow as tf

from .forward_pass import ForwardPass
from .layers import batch_normalization, dense


def one_hidden(forward: ForwardPass, x: tf.Tensor) -> tf.Tensor:
    return dense(forward, tf.nn.relu(dense(forward, x)))


def mlp(forward: ForwardPass, x: tf.Tensor) -> tf.Tensor:
    x = batch_normalization(forward, tf.nn.relu(dense(forward, x)))
    x = tf.nn.relu(dense(forward, forward.dropout(x)))
    return dense(forward, forward.dropout(x))
