"""Models of pictures in TensorFlow, channels last."""

from __future__ import annotations

import math

import tensorflow as tf

from ..keras_defaults import EPSILON, MAX_NORM
from .forward_pass import ForwardPass
from .layers import batch_normalization, convolution, dense, max_pooling, upscaling


def pooling(forward: ForwardPass, x: tf.Tensor) -> tf.Tensor:
    for _ in range(2):
        x = max_pooling(forward.dropout(tf.nn.relu(convolution(forward, x))))
    return _three_dense(forward, x)


def striding(forward: ForwardPass, x: tf.Tensor) -> tf.Tensor:
    for _ in range(2):
        x = forward.dropout(tf.nn.relu(convolution(forward, x, strides=2)))
    return _three_dense(forward, x)


def _three_dense(forward: ForwardPass, x: tf.Tensor) -> tf.Tensor:
    x = tf.nn.relu(dense(forward, tf.reshape(x, [-1, math.prod(x.shape[1:])])))
    return dense(forward, tf.nn.relu(dense(forward, x)))


def limit_norm(kernel: tf.Variable) -> tf.Tensor:
    # Keras' MaxNorm takes the norm along the first axis, whatever the layer.
    norm = tf.sqrt(tf.reduce_sum(kernel**2, axis=0, keepdims=True))
    return kernel * tf.clip_by_value(norm, 0, MAX_NORM) / (EPSILON + norm)


def resnet20(forward: ForwardPass, x: tf.Tensor) -> tf.Tensor:
    filters, blocks = forward.task.options["filters"], forward.task.options["blocks"]
    x = tf.nn.relu(batch_normalization(forward, convolution(forward, x, has_bias=False)))
    for stage in range(len(filters)):
        for block in range(blocks):
            x = _residual(forward, x, filters[stage], strides=2 if stage and not block else 1)
    return dense(forward, tf.reduce_mean(x, [1, 2]))


def _residual(forward: ForwardPass, x: tf.Tensor, filters: int, strides: int) -> tf.Tensor:
    changed = convolution(forward, x, strides, has_bias=False)
    changed = tf.nn.relu(batch_normalization(forward, changed))
    changed = convolution(forward, changed, has_bias=False)
    if x.shape[-1] != filters:  # its weights come before those of the last normalisation
        x = convolution(forward, x, strides, has_bias=False)
    return tf.nn.relu(x + batch_normalization(forward, changed))


def unet(forward: ForwardPass, x: tf.Tensor) -> tf.Tensor:
    skipped = []
    for _ in forward.task.options["filters"][:-1]:
        x = _convolved_twice(forward, x)
        skipped.append(x)
        x = max_pooling(x)
    x = _convolved_twice(forward, x)
    for before in reversed(skipped):
        x = _convolved_twice(forward, tf.concat([upscaling(forward, x), before], -1))
    return convolution(forward, x)


def _convolved_twice(forward: ForwardPass, x: tf.Tensor) -> tf.Tensor:
    for _ in range(2):
        x = tf.nn.relu(convolution(forward, x))
    return x
