"""The training loop in JAX: one compiled step called from Python, or all full batches of an epoch in one scan."""

from __future__ import annotations

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ..loop import NativeLoop
from ..task import NativeTask
from .devices import loops_over_convolutions
from .forward_pass import ForwardPass
from .losses import loss_and_correct
from .models import FORWARD
from .optimizers import initial_moments, updated
from .pictures import limit_norm


class Loop(NativeLoop):
    def __init__(self, task: NativeTask):
        self._task = task
        self._x, self._y = jax.tree.map(jnp.asarray, task.x), jnp.asarray(task.y)
        weights = [jnp.array(weight) for weight in task.weights]
        self._state = {
            "weights": weights,
            "statistics": [jnp.array(statistic) for statistic in task.statistics],
            "moments": initial_moments(task.optimizer, weights),
            "count": jnp.zeros((), "int32"),
            "key": jax.random.key(0),
        }
        self._step = jax.jit(functools.partial(_step, task), donate_argnums=(0, 1))

    def train_epoch(self, order: np.ndarray) -> float:
        state, totals = self._state, jnp.zeros(2)
        for indices in self._task.batches(order.astype("int32")):
            state, totals = self._step(state, totals, self._x, self._y, indices)
        self._state = state
        return float(totals[0]) / len(order)

    def weights(self) -> list[np.ndarray]:
        return [np.asarray(weight) for weight in self._state["weights"]]

    def statistics(self) -> list[np.ndarray]:
        return [np.asarray(statistic) for statistic in self._state["statistics"]]


class CompiledLoop(Loop):
    """All full batches of an epoch in one `lax.scan`, where that is not known to be slow."""

    def __init__(self, task: NativeTask):
        super().__init__(task)
        self._scans = loops_over_convolutions() or not task.is_convolutional
        self._scan = jax.jit(functools.partial(_scan, task), donate_argnums=(0, 1))

    def train_epoch(self, order: np.ndarray) -> float:
        if not self._scans:
            return super().train_epoch(order)
        batches, rest = self._task.full_batches(order.astype("int32"))
        state, totals = self._scan(self._state, jnp.zeros(2), self._x, self._y, batches)
        if len(rest):
            state, totals = self._step(state, totals, self._x, self._y, rest)
        self._state = state
        return float(totals[0]) / len(order)


def _scan(task: NativeTask, state: dict[str, Any], totals: jax.Array, x: Any, y: Any, batches: Any) -> Any:
    def step(carried: Any, indices: Any) -> Any:
        state, totals = carried
        return _step(task, state, totals, x, y, indices), None

    return jax.lax.scan(step, (state, totals), batches)[0]


def _step(task: NativeTask, state: dict[str, Any], totals: jax.Array, x: Any, y: Any, indices: Any) -> Any:
    key, dropout_key = jax.random.split(state["key"])
    measure = jax.value_and_grad(functools.partial(_loss, task), has_aux=True)
    batch = jax.tree.map(lambda part: part[indices], x), y[indices]
    (loss, (correct, statistics)), gradients = measure(state["weights"], state["statistics"], dropout_key, *batch)
    count = state["count"] + 1
    weights, moments = updated(task, state["weights"], gradients, state["moments"], count)
    if task.limits_norms:
        weights = [limit_norm(weight) if weight.ndim == 4 else weight for weight in weights]
    state = {"weights": weights, "statistics": statistics, "moments": moments, "count": count, "key": key}
    return state, totals + jnp.stack([loss * len(indices), correct])


def _loss(task: NativeTask, weights: Any, statistics: Any, key: jax.Array, x: Any, y: jax.Array) -> Any:
    """Return the mean loss, and: the number of correct predictions, and the new moving statistics."""
    forward = ForwardPass(task, weights, statistics, key)
    loss, correct = loss_and_correct(task, FORWARD[task.recipe](forward, x), y)
    return loss, (correct, forward.new_statistics)
