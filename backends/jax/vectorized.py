"""Training several models at once under JAX: Keras' own `train_step` under `jax.vmap` over an axis of models."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ..vectorized import InitialState, VectorizedModels
from .epochs import State
from .metrics import results_of

# Halves the compile time of the last, smaller step of an epoch, which then runs 2.5 times as long. Over all epochs of a
# search that saves time; for a single run it may not.
_FAST_COMPILE = {"xla_backend_optimization_level": 0}

# Samples per call of `outputs`.
_OUTPUT_BATCH = 1_024


class JaxVectorizedModels(VectorizedModels):
    def __init__(self, model: Any, starts: Sequence[InitialState], x: np.ndarray, y: np.ndarray, batch_size: int):
        super().__init__(model, starts, x, y, batch_size)
        self._data = jax.device_put((x, y))
        groups = zip(*((start.trainable, start.non_trainable, start.optimizer) for start in starts), strict=True)
        stacked = [[np.stack(values) for values in zip(*group, strict=True)] if group[0] else [] for group in groups]
        zeros = [np.zeros((self.count, *v.shape), v.dtype) for v in model.metrics_variables]
        # Stacked by NumPy: JAX would compile a program for each shape.
        self._state: State = jax.device_put((*stacked, zeros))
        self._train = jax.jit(self._train_steps, donate_argnums=0)
        self._train_rest = jax.jit(self._train_subset, donate_argnums=0, compiler_options=_FAST_COMPILE)
        self._results = jax.jit(jax.vmap(lambda metrics: results_of(model, metrics)))
        self._answers = jax.jit(jax.vmap(self._answer, in_axes=(0, 0, None, 0)))

    def epoch(self, orders: Sequence[np.ndarray]) -> list[dict[str, float]]:
        whole = len(orders[0]) // self.batch_size
        indices = np.stack([order[: whole * self.batch_size] for order in orders]).astype("int32")
        self._state = (*self._state[:3], [jnp.zeros_like(values) for values in self._state[3]])
        if whole:
            batches = jnp.asarray(indices.reshape(self.count, whole, self.batch_size).swapaxes(0, 1))
            self._state = self._train(self._state, self._data, batches)
        self._train_remainders([order[whole * self.batch_size :] for order in orders])
        metrics = {name: np.asarray(values) for name, values in self._results(self._state[3]).items()}
        return [{name: float(values[number]) for name, values in metrics.items()} for number in range(self.count)]

    def outputs(self, indices: Sequence[np.ndarray]) -> list[np.ndarray]:
        longest = max(map(len, indices))
        size = min(longest, _OUTPUT_BATCH)
        filled = np.stack([np.resize(rows, -(-longest // size) * size) for rows in indices]).astype("int32")
        parts = [
            np.asarray(self._answers(self._state[0], self._state[1], self._data[0], filled[:, first : first + size]))
            for first in range(0, filled.shape[1], size)
        ]
        answers = np.concatenate(parts, axis=1)
        return [answers[number, : len(rows)] for number, rows in enumerate(indices)]

    def weights(self) -> list[list[np.ndarray]]:
        stacked = [np.asarray(weight) for weight in self._state[0]]
        return [[weight[number] for weight in stacked] for number in range(self.count)]

    def _train_remainders(self, rests: list[np.ndarray]) -> None:
        """Train the last, smaller step of each model, together for models with the same number of samples left.

        Padding the batches to one size would change the results: a dropout mask depends on the batch size.
        """
        members: dict[int, list[int]] = defaultdict(list)
        for number, rest in enumerate(rests):
            members[len(rest)].append(number)
        members.pop(0, None)
        for numbers in members.values():
            indices = np.stack([rests[number] for number in numbers]).astype("int32")
            self._state = self._train_rest(self._state, self._data, np.array(numbers, "int32"), indices)

    def _train_steps(self, state: State, data: Any, batches: jax.Array) -> State:
        """Train on (steps, models, batch) samples."""
        step = jax.vmap(self._step, in_axes=(0, None, 0))
        new_state: State = jax.lax.scan(lambda state, indices: (step(state, data, indices), None), state, batches)[0]
        return new_state

    def _train_subset(self, state: State, data: Any, numbers: jax.Array, indices: jax.Array) -> State:
        """Train the models with these numbers on (models, batch) samples, and leave the others as they are."""
        some = jax.tree.map(lambda values: values[numbers], state)
        trained = jax.vmap(self._step, in_axes=(0, None, 0))(some, data, indices)
        new_state: State = jax.tree.map(lambda values, new: values.at[numbers].set(new), state, trained)
        return new_state

    def _step(self, state: State, data: Any, indices: jax.Array) -> State:
        """Train one model on the samples at these indices."""
        new_state: State
        _, new_state = self.model.train_step(state, tuple(part[indices] for part in data))
        return new_state

    def _answer(self, trainable: Any, non_trainable: Any, x: jax.Array, indices: jax.Array) -> jax.Array:
        answers: jax.Array
        answers, _ = self.model.stateless_call(trainable, non_trainable, x[indices], training=False)
        return answers
