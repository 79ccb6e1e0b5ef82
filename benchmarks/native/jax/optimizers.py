"""The optimizers in JAX, with Keras' formulas and defaults: pure functions over lists of arrays."""

from __future__ import annotations

from collections.abc import Sequence

import jax
import jax.numpy as jnp

from ..keras_defaults import BETA_1, BETA_2, EPSILON, RHO
from ..optimizer_settings import OptimizerSettings

Arrays = Sequence[jax.Array]
Moments = Sequence[Arrays]

_MOMENTS = {"adam": 2, "rmsprop": 1, "sgd": 0}


def initial_moments(optimizer: str, weights: Arrays) -> Moments:
    """Return the optimizer's moments of each weight, zeros."""
    return [[jnp.zeros_like(weight) for weight in weights] for _ in range(_MOMENTS[optimizer])]


def updated(
    task: OptimizerSettings, weights: Arrays, gradients: Arrays, moments: Moments, count: jax.Array
) -> tuple[Arrays, Moments]:
    """Return the weights and moments after the step with this number, from 1."""
    update = {"adam": _adam, "rmsprop": _rmsprop, "sgd": _sgd}[task.optimizer]
    return update(task.learning_rate, weights, gradients, moments, count)


def _adam(
    rate: float, weights: Arrays, gradients: Arrays, moments: Moments, count: jax.Array
) -> tuple[Arrays, Moments]:
    first, second = moments
    first = [BETA_1 * m + (1 - BETA_1) * g for m, g in zip(first, gradients, strict=True)]
    second = [BETA_2 * v + (1 - BETA_2) * g * g for v, g in zip(second, gradients, strict=True)]
    step = rate * jnp.sqrt(1 - BETA_2**count) / (1 - BETA_1**count)
    stepped = zip(weights, first, second, strict=True)
    return [w - step * m / (jnp.sqrt(v) + EPSILON) for w, m, v in stepped], [first, second]


def _rmsprop(
    rate: float, weights: Arrays, gradients: Arrays, moments: Moments, count: jax.Array
) -> tuple[Arrays, Moments]:
    second = [RHO * v + (1 - RHO) * g * g for v, g in zip(moments[0], gradients, strict=True)]
    stepped = zip(weights, gradients, second, strict=True)
    return [w - rate * g / jnp.sqrt(v + EPSILON) for w, g, v in stepped], [second]


def _sgd(rate: float, weights: Arrays, gradients: Arrays, moments: Moments, count: jax.Array) -> tuple[Arrays, Moments]:
    return [w - rate * g for w, g in zip(weights, gradients, strict=True)], moments
