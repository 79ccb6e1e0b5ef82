"""Several models at once under JAX: Keras' own `train_step` under `jax.vmap`, over a leading axis of models."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ..vectorized import Many, Start
from .metrics import results_of

State = tuple[list[jax.Array], ...]

# XLA takes half the time to compile it. The last, small step of an epoch then runs 2.5 times as long, which is less in
# all the epochs of a search together; of a run by itself it may be more.
_QUICKLY = {"xla_backend_optimization_level": 0}

# Samples that a model is asked about in one call.
_ASKED = 1_024


class JaxMany(Many):
    def __init__(self, model: Any, starts: Sequence[Start], x: np.ndarray, y: np.ndarray, batch_size: int):
        super().__init__(model, starts, x, y, batch_size)
        self._data = jax.device_put((x, y))
        groups = zip(*((start.trainable, start.non_trainable, start.optimizer) for start in starts), strict=True)
        stacked = [[np.stack(values) for values in zip(*group, strict=True)] if group[0] else [] for group in groups]
        zeros = [np.zeros((self.count, *v.shape), v.dtype) for v in model.metrics_variables]
        # By NumPy: JAX would compile a program for each shape.
        self._state: State = jax.device_put((*stacked, zeros))
        self._train = jax.jit(self._train_steps, donate_argnums=0)
        self._train_rest = jax.jit(self._train_some, donate_argnums=0, compiler_options=_QUICKLY)
        self._results = jax.jit(jax.vmap(lambda metrics: results_of(model, metrics)))
        self._answers = jax.jit(jax.vmap(self._answer, in_axes=(0, 0, None, 0)))

    def epoch(self, orders: Sequence[np.ndarray]) -> list[dict[str, float]]:
        whole = len(orders[0]) // self.batch_size
        taken = np.stack([order[: whole * self.batch_size] for order in orders]).astype("int32")
        self._state = (*self._state[:3], [jnp.zeros_like(values) for values in self._state[3]])
        if whole:
            batches = jnp.asarray(taken.reshape(self.count, whole, self.batch_size).swapaxes(0, 1))
            self._state = self._train(self._state, self._data, batches)
        self._take_rests([order[whole * self.batch_size :] for order in orders])
        found = {name: np.asarray(values) for name, values in self._results(self._state[3]).items()}
        return [{name: float(values[number]) for name, values in found.items()} for number in range(self.count)]

    def outputs(self, indices: Sequence[np.ndarray]) -> list[np.ndarray]:
        most = max(map(len, indices))
        size = min(most, _ASKED)
        filled = np.stack([np.resize(each, -(-most // size) * size) for each in indices]).astype("int32")
        parts = [
            np.asarray(self._answers(self._state[0], self._state[1], self._data[0], filled[:, first : first + size]))
            for first in range(0, filled.shape[1], size)
        ]
        answers = np.concatenate(parts, axis=1)
        return [answers[number, : len(each)] for number, each in enumerate(indices)]

    def weights(self) -> list[list[np.ndarray]]:
        values = [np.asarray(each) for each in self._state[0]]
        return [[each[number] for each in values] for number in range(self.count)]

    def _take_rests(self, rests: list[np.ndarray]) -> None:
        """The last, smaller step of each model; those with as many samples left take it together.

        Filled up to one size they could not: a mask of dropout depends on how many samples it is for.
        """
        members: dict[int, list[int]] = defaultdict(list)
        for number, rest in enumerate(rests):
            members[len(rest)].append(number)
        members.pop(0, None)
        for numbers in members.values():
            taken = np.stack([rests[number] for number in numbers]).astype("int32")
            self._state = self._train_rest(self._state, self._data, np.array(numbers, "int32"), taken)

    def _train_steps(self, state: State, data: Any, batches: jax.Array) -> State:
        """Train on (steps, models, batch) samples."""
        step = jax.vmap(self._step, in_axes=(0, None, 0))
        trained: State = jax.lax.scan(lambda state, taken: (step(state, data, taken), None), state, batches)[0]
        return trained

    def _train_some(self, state: State, data: Any, numbers: jax.Array, taken: jax.Array) -> State:
        """Train the models with these numbers on (models, batch) samples, and leave the others as they are."""
        some = jax.tree.map(lambda values: values[numbers], state)
        trained = jax.vmap(self._step, in_axes=(0, None, 0))(some, data, taken)
        changed: State = jax.tree.map(lambda values, new: values.at[numbers].set(new), state, trained)
        return changed

    def _step(self, state: State, data: Any, taken: jax.Array) -> State:
        """One model's step on the samples that it takes."""
        trained: State
        _, trained = self.model.train_step(state, tuple(part[taken] for part in data))
        return trained

    def _answer(self, trainable: Any, non_trainable: Any, x: jax.Array, taken: jax.Array) -> jax.Array:
        answers: jax.Array
        answers, _ = self.model.stateless_call(trainable, non_trainable, x[taken], training=False)
        return answers
