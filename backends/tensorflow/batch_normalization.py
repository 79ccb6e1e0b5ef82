"""Batch normalisation of pictures by TensorFlow's own operation while a model trains.

Keras computes the statistics and the normalisation in separate operations, each of which passes over the pictures.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from .. import keras_internals
from ..tuned_layers import computes_as

# The least epsilon that cuDNN takes.
_LEAST_EPSILON = 1.001e-5

CallMethod = Callable[..., Any]


def is_fusable(layer: Any) -> bool:
    """Return whether it is a Keras BatchNormalization over the channels, the last axis, in its plain form."""
    return (
        computes_as(layer, keras.layers.BatchNormalization, "call", keras_internals.BATCH_MOMENTS)
        and layer.axis in (-1, 3)
        and not (layer.renorm or layer.synchronized)
        and layer.epsilon >= _LEAST_EPSILON
    )


def fused(layer: Any, keras_call: CallMethod) -> CallMethod:
    """Return a `call` for a fusable layer, which computes everything but a training step on pictures as Keras does."""

    def call(inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        is_plain = training is True and layer.trainable and mask is None
        if not is_plain or len(inputs.shape) != 4 or inputs.dtype != tf.float32 or layer.compute_dtype != "float32":
            return keras_call(inputs, training=training, mask=mask)
        channels = inputs.shape[-1]
        outputs, mean, variance, *_ = tf.raw_ops.FusedBatchNormV3(
            x=inputs,
            scale=layer.gamma.value if layer.scale else tf.ones(channels),
            offset=layer.beta.value if layer.center else tf.zeros(channels),
            mean=[],
            variance=[],
            epsilon=layer.epsilon,
            is_training=True,
        )
        # The operation divides the sum of squares by n - 1, and Keras by n.
        count = tf.cast(tf.size(inputs) // channels, tf.float32)
        for moving, value in ((layer.moving_mean, mean), (layer.moving_variance, variance * (count - 1) / count)):
            moving.assign(moving * layer.momentum + value * (1 - layer.momentum))
        return outputs

    return call
