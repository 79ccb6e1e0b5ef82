"""The losses in TensorFlow, from a model's outputs before its last activation."""

from __future__ import annotations

import tensorflow as tf

from ..task import BINARY, CROSS_ENTROPY, NativeTask


def losses_and_correct(task: NativeTask, outputs: tf.Tensor, y: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Return the loss of each sample, (n,), and the number of correct predictions, 0 if they are not counted."""
    if task.loss == CROSS_ENTROPY:
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(y, outputs)
        return losses, _correct(task, tf.argmax(outputs, 1, output_type=y.dtype) == y)
    outputs = tf.reshape(outputs, tf.shape(y))
    if task.loss == BINARY:
        losses = tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(y, outputs), axis=1)
        return losses, _correct(task, (outputs > 0) == (y > 0.5))
    return tf.reduce_mean((outputs - y) ** 2, axis=1), tf.zeros([])


def _correct(task: NativeTask, hits: tf.Tensor) -> tf.Tensor:
    return tf.reduce_sum(tf.cast(hits, "float32")) if task.accuracy else tf.zeros([])
