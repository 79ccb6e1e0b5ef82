"""Epochs under JAX: a loop of steps inside one compiled call, or one compiled step that is dispatched ahead."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ..epochs import Data, Epochs, Plan, assign, groups_of
from .metrics import CompiledMetrics, can_be_compiled

Metrics = list[jax.Array]
State = tuple[list[jax.Array], ...]


class JaxEpochs(Epochs):
    def __init__(self, model: Any, data: Data, batch_size: int, plan: Plan):
        super().__init__(model, data, batch_size, plan)
        self._data = self._place(data)
        self._metrics = CompiledMetrics(model) if can_be_compiled(model) else None
        # The state is given away: each call writes into the memory of the one before. Not the metrics: what they begin
        # with is taken again.
        self._train_many = jax.jit(self._train_steps, donate_argnums=0)
        self._train_one = jax.jit(self._train_step, static_argnums=5, donate_argnums=0)
        self._test_many = jax.jit(self._test_steps)
        self._test_one = jax.jit(self._test_step, static_argnums=4)

    def reset(self) -> None:
        return self._metrics.reset() if self._metrics else super().reset()

    def results(self) -> dict[str, float]:
        return self._metrics.results() if self._metrics else super().results()

    def begin(self, order: np.ndarray) -> None:
        self._order = jnp.asarray(order.astype("int32"))
        self._state = self._take_state()

    def run(self, start: int, stop: int) -> None:
        last = min(stop, self.whole_steps)
        if self.plan.loop and start < last:
            self._state = self._train_many(*self._parts(), start, last)
        elif not self.plan.loop:
            for step in range(start, last):
                self._state = self._train_one(*self._parts(), step, self.batch_size)
        if stop > self.whole_steps:
            rest = self.samples - self.whole_steps * self.batch_size
            self._state = self._train_one(*self._parts(), self.whole_steps, rest)
        jax.block_until_ready(self._state)

    def loss(self) -> float:
        assign(self._groups[3], self._state[3])
        return super().loss()

    def end(self) -> None:
        self._put_state(self._state)

    def evaluate(self) -> None:
        trainable, non_trainable, _, metrics = self._take_state()
        state = (non_trainable, metrics)
        whole = self.whole_steps * self.batch_size
        if self.plan.loop and whole:  # a loop over no steps would still slice a whole batch
            state = self._test_many(state, trainable, self._data)
        elif not self.plan.loop:
            for first in range(0, whole, self.batch_size):
                state = self._test_one(state, trainable, self._data, first, self.batch_size)
        if whole < self.samples:
            state = self._test_one(state, trainable, self._data, whole, self.samples - whole)
        assign(self._groups[1], state[0])
        assign(self._groups[3], state[1])

    def _place(self, data: Data) -> Any:
        return jax.device_put(data)

    def _take_state(self) -> State:
        self._groups = groups_of(self.model)  # kept until it is put back: to gather them takes a while
        return tuple([variable.value for variable in group] for group in self._groups)

    def _put_state(self, state: State) -> None:
        for group, values in zip(self._groups, state, strict=True):
            assign(group, values)

    def _parts(self) -> tuple[State, Metrics, Any, jax.Array]:
        return self._state[:3], self._state[3], self._data, self._order

    def _train_steps(self, kept: State, metrics: Metrics, data: Any, order: jax.Array, start: Any, stop: Any) -> State:
        def step(number: Any, state: State) -> State:
            return self._train_step(state[:3], state[3], data, order, number, self.batch_size)

        trained: State = jax.lax.fori_loop(start, stop, step, (*kept, metrics))
        return trained

    def _train_step(self, kept: State, metrics: Metrics, data: Any, order: jax.Array, number: Any, size: int) -> State:
        chosen = jax.lax.dynamic_slice_in_dim(order, number * self.batch_size, size)
        trained: State
        _, trained = self.model.train_step((*kept, metrics), self._batch(data, chosen))
        return trained

    def _batch(self, data: Any, chosen: jax.Array) -> tuple[jax.Array, ...]:
        # The order holds no other rows than there are: looking whether it does takes as long as fetching them.
        return tuple(part.at[chosen].get(mode="promise_in_bounds") for part in data)

    def _test_steps(self, state: State, trainable: list[jax.Array], data: Any) -> State:
        def step(number: Any, state: State) -> State:
            return self._test_step(state, trainable, data, number * self.batch_size, self.batch_size)

        tested: State = jax.lax.fori_loop(0, self.whole_steps, step, state)
        return tested

    def _test_step(self, state: State, trainable: list[jax.Array], data: Any, first: Any, size: int) -> State:
        batch = tuple(jax.lax.dynamic_slice_in_dim(part, first, size) for part in data)
        _, (_, non_trainable, metrics) = self.model.test_step((trainable, *state), batch)
        return non_trainable, metrics
