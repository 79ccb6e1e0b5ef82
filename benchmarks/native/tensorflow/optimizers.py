"""The optimizers in TensorFlow, with Keras' formulas and defaults: one raw operation updates a weight."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

from ..keras_defaults import BETA_1, BETA_2, EPSILON, RHO
from ..optimizer_settings import OptimizerSettings

Variables = Sequence[tf.Variable]
Update = Callable[[Sequence[Any]], None]


def make_update(task: OptimizerSettings, weights: Variables) -> Update:
    """Return a function that updates the weights by their gradients; it owns the moments."""
    return {"adam": _adam, "rmsprop": _rmsprop, "sgd": _sgd}[task.optimizer](task.learning_rate, weights)


def _zeros_like(weights: Variables) -> Variables:
    return [tf.Variable(tf.zeros_like(weight), trainable=False) for weight in weights]


def _adam(rate: float, weights: Variables) -> Update:
    first, second, count = _zeros_like(weights), _zeros_like(weights), tf.Variable(0.0, trainable=False)

    def update(gradients: Sequence[Any]) -> None:
        count.assign_add(1.0)
        powers = {"beta1_power": BETA_1**count, "beta2_power": BETA_2**count}
        for weight, m, v, gradient in zip(weights, first, second, gradients, strict=True):
            tf.raw_ops.ResourceApplyAdam(
                var=weight.handle,
                m=m.handle,
                v=v.handle,
                **powers,
                lr=rate,
                beta1=BETA_1,
                beta2=BETA_2,
                epsilon=EPSILON,
                grad=tf.convert_to_tensor(gradient),
            )

    return update


def _rmsprop(rate: float, weights: Variables) -> Update:
    momentum, second = _zeros_like(weights), _zeros_like(weights)

    def update(gradients: Sequence[Any]) -> None:
        for weight, mom, ms, gradient in zip(weights, momentum, second, gradients, strict=True):
            tf.raw_ops.ResourceApplyRMSProp(
                var=weight.handle,
                ms=ms.handle,
                mom=mom.handle,
                lr=rate,
                rho=RHO,
                momentum=0.0,
                epsilon=EPSILON,
                grad=tf.convert_to_tensor(gradient),
            )

    return update


def _sgd(rate: float, weights: Variables) -> Update:
    def update(gradients: Sequence[Any]) -> None:
        for weight, gradient in zip(weights, gradients, strict=True):
            tf.raw_ops.ResourceApplyGradientDescent(var=weight.handle, alpha=rate, delta=tf.convert_to_tensor(gradient))

    return update
