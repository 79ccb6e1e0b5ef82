"""Several networks trained in turn in JAX: one compiled step called from Python."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from .. import turn_task
from ..turn_task import TurnTask, layers_of
from .optimizers import initial_moments, updated

Networks = Mapping[str, Sequence[jax.Array]]


class TurnLoop(turn_task.TurnLoop):
    def __init__(self, task: TurnTask):
        self._task = task
        self._x, self._y = jnp.asarray(task.x), jnp.asarray(task.y)
        networks = {name: [jnp.array(weight) for weight in weights] for name, weights in task.weights.items()}
        moments = {
            turn: initial_moments(task.optimizer, [weight for name in names for weight in networks[name]])
            for turn, names in task.trains.items()
        }
        self._state = networks, moments, jnp.zeros((), "int32"), jax.random.key(0)
        self._step = jax.jit(functools.partial(_step, task), donate_argnums=(0, 1))

    def train_epoch(self, order: np.ndarray) -> float:
        state, total = self._state, jnp.zeros(())
        for indices in self._task.batches(order.astype("int32")):
            state, total = self._step(state, total, self._x, self._y, indices)
        self._state = state
        return float(total) / len(order)


def _step(task: TurnTask, state: Any, total: jax.Array, x: Any, y: Any, indices: Any) -> Any:
    networks, moments, count, key = state
    x, y, count = x[indices], y[indices], count + 1
    for turn, names in task.trains.items():
        key, drawn = jax.random.split(key)

        def loss_of(trained: Networks, turn: str = turn, networks: Networks = networks, key: Any = drawn) -> jax.Array:
            return _LOSSES[task.name][turn]({**networks, **trained}, x, y, key, task.noise)

        loss, gradients = jax.value_and_grad(loss_of)({name: networks[name] for name in names})
        flat = [weight for name in names for weight in networks[name]]
        flat_gradients = [gradient for name in names for gradient in gradients[name]]
        new, moments[turn] = updated(task, flat, flat_gradients, moments[turn], count)
        rest = iter(new)
        networks = {**networks, **{name: [next(rest) for _ in networks[name]] for name in names}}
        total += loss * len(indices)
    return (networks, moments, count, key), total


def _dense(weights: Sequence[jax.Array], x: jax.Array) -> jax.Array:
    *hidden, (kernel, bias) = layers_of(weights)
    for inner_kernel, inner_bias in hidden:
        x = jax.nn.relu(x @ inner_kernel + inner_bias)
    return x @ kernel + bias


def _vae(networks: Networks, x: jax.Array, y: jax.Array, key: jax.Array, noise: float) -> jax.Array:
    mean, log_variance = jnp.split(_dense(networks["encoder"], x), 2, axis=-1)
    codes = mean + noise * jnp.exp(log_variance / 2) * jax.random.normal(key, mean.shape)
    rebuilt = jax.nn.sigmoid(_dense(networks["decoder"], codes))
    divergence = jnp.mean(jnp.sum(mean**2 + jnp.exp(log_variance) - log_variance - 1, axis=-1)) / 2
    return jnp.mean(jnp.sum((rebuilt - x) ** 2, axis=-1)) + divergence


def _cross_entropy(logits: jax.Array, real: float) -> jax.Array:
    return jnp.mean(jnp.maximum(logits, 0) - logits * real + jnp.log1p(jnp.exp(-jnp.abs(logits))))


def _critic(networks: Networks, x: jax.Array, y: jax.Array, key: jax.Array, noise: float) -> jax.Array:
    fake = jax.nn.sigmoid(_dense(networks["answers"], x))
    return _cross_entropy(_dense(networks["critic"], y), 1.0) + _cross_entropy(_dense(networks["critic"], fake), 0.0)


def _generator(networks: Networks, x: jax.Array, y: jax.Array, key: jax.Array, noise: float) -> jax.Array:
    fake = jax.nn.sigmoid(_dense(networks["answers"], x))
    return _cross_entropy(_dense(networks["critic"], fake), 1.0)


def _siamese(networks: Networks, x: jax.Array, y: jax.Array, key: jax.Array, noise: float) -> jax.Array:
    codes = _dense(networks["answers"], x)
    codes = codes / jnp.sqrt(jnp.sum(codes**2, axis=-1, keepdims=True) + 1e-6)
    distances = 2 - 2 * codes @ codes.T
    alike = (y[:, None] == y[None]).astype(codes.dtype)
    return jnp.mean(alike * distances + (1 - alike) * jnp.maximum(0.0, 1 - distances) ** 2)


def _student(networks: Networks, x: jax.Array, y: jax.Array, key: jax.Array, noise: float) -> jax.Array:
    answers = jax.nn.log_softmax(_dense(networks["answers"], x))
    taught = jax.nn.softmax(_dense(networks["teacher"], x))
    own = -jnp.mean(jnp.take_along_axis(answers, y[:, None], axis=-1))
    return own - jnp.mean(jnp.sum(taught * answers, axis=-1))


_LOSSES: dict[str, dict[str, Callable[..., jax.Array]]] = {
    "vae": {"loss": _vae},
    "gan": {"critic": _critic, "generator": _generator},
    "siamese": {"loss": _siamese},
    "student": {"loss": _student},
}
