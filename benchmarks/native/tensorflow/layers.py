"""Layers in TensorFlow: functions of a forward pass, which hands them their variables, and of their inputs."""

from __future__ import annotations

import tensorflow as tf

from ..keras_defaults import NORMALIZATION_EPSILON
from .forward_pass import ForwardPass


def dense(forward: ForwardPass, x: tf.Tensor) -> tf.Tensor:
    kernel, bias = forward.take(2)
    return tf.nn.bias_add(tf.tensordot(x, kernel, 1) if x.shape.rank > 2 else x @ kernel, bias)


def convolution(forward: ForwardPass, x: tf.Tensor, strides: int = 1, *, has_bias: bool = True) -> tf.Tensor:
    """(n, height, width, channels) → (n, height / strides, width / strides, filters), zeros around the picture."""
    (kernel,) = forward.take(1)
    x = tf.nn.conv2d(x, kernel, strides, "SAME")
    return tf.nn.bias_add(x, forward.take(1)[0]) if has_bias else x


def upscaling(forward: ForwardPass, x: tf.Tensor) -> tf.Tensor:
    """(n, height, width, channels) → (n, 2 height, 2 width, filters): a transposed convolution without overlap."""
    kernel, bias = forward.take(2)  # the kernel: (2, 2, filters, channels)
    shape = [tf.shape(x)[0], 2 * x.shape[1], 2 * x.shape[2], kernel.shape[2]]
    return tf.nn.bias_add(tf.nn.conv2d_transpose(x, kernel, shape, 2), bias)


def max_pooling(x: tf.Tensor) -> tf.Tensor:
    """(n, height, width, channels) → (n, height / 2, width / 2, channels)."""
    return tf.nn.max_pool2d(x, 2, 2, "VALID")


def embedding(forward: ForwardPass, tokens: tf.Tensor) -> tf.Tensor:
    (table,) = forward.take(1)
    return tf.gather(table, tokens)


def batch_normalization(forward: ForwardPass, x: tf.Tensor) -> tf.Tensor:
    """Normalise (n, channels), or pictures (n, height, width, channels) by TensorFlow's fused operation."""
    scale, offset = forward.take(2)
    if x.shape.rank == 4:
        normalized, mean, variance = tf.compat.v1.nn.fused_batch_norm(x, scale, offset, epsilon=NORMALIZATION_EPSILON)
        # The operation answers the variance of the population that the batch is drawn from; Keras takes the batch's.
        count = tf.cast(tf.size(x), "float32") / x.shape[-1]
        variance *= (count - 1) / count
    else:
        mean, variance = tf.nn.moments(x, [0])
        normalized = tf.nn.batch_normalization(x, mean, variance, offset, scale, NORMALIZATION_EPSILON)
    forward.move_statistics(mean, variance)
    return normalized


def layer_normalization(forward: ForwardPass, x: tf.Tensor, epsilon: float = 1e-6) -> tf.Tensor:
    scale, offset = forward.take(2)
    mean, variance = tf.nn.moments(x, [-1], keepdims=True)
    return tf.nn.batch_normalization(x, mean, variance, offset, scale, epsilon)
