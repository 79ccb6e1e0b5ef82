"""Epochs under JAX: a compiled loop over the steps, or one compiled step whose calls are dispatched asynchronously."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ..epochs import Data, EpochRunner, Plan, assign, variable_groups
from ..nests import map_arrays
from .metrics import CompiledMetrics, can_be_compiled

Metrics = list[jax.Array]
State = tuple[list[jax.Array], ...]
Logs = dict[str, jax.Array]


class JaxEpochs(EpochRunner):
    def __init__(self, model: Any, data: Data, batch_size: int, plan: Plan):
        super().__init__(model, data, batch_size, plan)
        self._data = self._to_device(data)
        self._metrics = CompiledMetrics(model) if can_be_compiled(model) else None
        # The state is donated: each call reuses the memory of the last. The metrics are not donated, because their
        # initial values are used again.
        self._train_many = self._compile(self._train_steps, donate_argnums=0)
        self._train_one = self._compile(self._train_step, static_argnums=5, donate_argnums=0)
        self._test_many = self._compile(self._test_steps)
        self._test_one = self._compile(self._test_step, static_argnums=4)

    def replace_data(self, data: Data) -> None:
        self._data = self._to_device(data)

    def _reset_metrics(self) -> None:
        return self._metrics.reset() if self._metrics else super()._reset_metrics()

    def _metric_results(self) -> dict[str, float]:
        return self._metrics.results() if self._metrics else super()._metric_results()

    def begin(self, order: np.ndarray) -> None:
        self._order = jnp.asarray(order.astype("int32"))
        self._state = self._take_state()

    def run(self, start: int, stop: int) -> None:
        last = min(stop, self.full_batches)
        if self.plan.loop and start < last:
            self.logs, self._state = self._train_many(*self._step_arguments(), start, last)
        elif not self.plan.loop:
            for step in range(start, last):
                self.logs, self._state = self._train_one(*self._step_arguments(), step, self.batch_size)
        if stop > self.full_batches:
            rest = self.samples - self.full_batches * self.batch_size
            self.logs, self._state = self._train_one(*self._step_arguments(), self.full_batches, rest)
        jax.block_until_ready(self._state)

    def loss(self) -> float:
        self._assign(3, self._state[3])
        return super().loss()

    def publish(self) -> None:
        self._put_state(self._state)

    def adopt(self) -> None:
        self._state = self._take_state()

    def end(self) -> None:
        self._put_state(self._state)

    def evaluate(self) -> None:
        trainable, non_trainable, _, metrics = self._take_state()
        state: State = (non_trainable, metrics)
        whole = self.full_batches * self.batch_size
        if self.plan.loop and whole:  # a loop without steps would still slice a whole batch
            self.logs, state = self._test_many(state, trainable, self._data)
        elif not self.plan.loop:
            for first in range(0, whole, self.batch_size):
                self.logs, state = self._test_one(state, trainable, self._data, first, self.batch_size)
        if whole < self.samples:
            self.logs, state = self._test_one(state, trainable, self._data, whole, self.samples - whole)
        self._assign(1, state[0])
        self._assign(3, state[1])

    def _compile(self, function: Callable[..., Any], **options: Any) -> Callable[..., Any]:
        compiled: Callable[..., Any] = jax.jit(function, **options)
        return compiled

    def _to_device(self, data: Data) -> Any:
        return jax.device_put(data)

    def _take_state(self) -> State:
        self._groups = variable_groups(self.model)  # cached until the state is put back: collecting them is slow
        return tuple([variable.value for variable in group] for group in self._groups)

    def _put_state(self, state: State) -> None:
        for group, values in enumerate(state):
            self._assign(group, values)

    def _assign(self, group: int, values: Sequence[jax.Array]) -> None:
        """Assign values to the variables of the group with this place in `variable_groups`."""
        assign(self._groups[group], values)

    def _step_arguments(self) -> tuple[State, Metrics, Any, jax.Array]:
        return self._state[:3], self._state[3], self._data, self._order

    def _train_steps(
        self, variables: State, metrics: Metrics, data: Any, order: jax.Array, start: Any, stop: Any
    ) -> tuple[Logs, State]:
        def step(number: Any, state: State) -> tuple[Logs, State]:
            return self._train_step(state[:3], state[3], data, order, number, self.batch_size)

        return self._loop(step, start, stop, (*variables, metrics))

    def _train_step(
        self, variables: State, metrics: Metrics, data: Any, order: jax.Array, number: Any, size: int
    ) -> tuple[Logs, State]:
        indices = jax.lax.dynamic_slice_in_dim(order, number * self.batch_size, size)
        logs, state = self.model.train_step((*variables, metrics), self._batch(data, indices))
        return self._own_logs(logs), state

    def _batch(self, data: Any, indices: jax.Array) -> Any:
        # All indices are valid; a bounds check would take as long as the gather itself.
        return map_arrays(lambda part: part.at[indices].get(mode="promise_in_bounds"), data)

    def _test_steps(self, state: State, trainable: list[jax.Array], data: Any) -> tuple[Logs, State]:
        def step(number: Any, state: State) -> tuple[Logs, State]:
            return self._test_step(state, trainable, data, number * self.batch_size, self.batch_size)

        return self._loop(step, 0, self.full_batches, state)

    def _test_step(
        self, state: State, trainable: list[jax.Array], data: Any, first: Any, size: int
    ) -> tuple[Logs, State]:
        batch = self._slice(data, first, size)
        logs, (_, non_trainable, metrics) = self.model.test_step((trainable, *state), batch)
        return self._own_logs(logs), (non_trainable, metrics)

    def _slice(self, data: Any, first: Any, size: int) -> Any:
        return map_arrays(lambda part: jax.lax.dynamic_slice_in_dim(part, first, size), data)

    def _loop(
        self, step: Callable[[Any, State], tuple[Logs, State]], start: Any, stop: Any, state: State
    ) -> tuple[Logs, State]:
        """Run the steps in one compiled loop; return the logs of the last one, and the state after it."""

        def logged_step(number: Any, carried: tuple[Logs, State]) -> tuple[Logs, State]:
            logs, state = step(number, carried[1])
            return jax.tree.map(jnp.asarray, logs), state

        logs: Logs = {}
        if self._has_own_step:  # a loop carries values of fixed shapes, so the logs need values before the first step
            shapes, _ = jax.eval_shape(lambda: logged_step(start, ({}, state)))
            logs = jax.tree.map(lambda shape: jnp.zeros(shape.shape, shape.dtype), shapes)
        return jax.lax.fori_loop(start, stop, logged_step, (logs, state))  # type: ignore[no-any-return]
