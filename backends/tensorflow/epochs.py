"""Epochs under TensorFlow: a loop over the steps inside one `tf.function`, compiled by XLA where that is faster."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from ..epochs import Data, EpochRunner, Plan
from ..nests import arrays_of, map_arrays

Logs = dict[str, tf.Tensor]
# Trains or evaluates the batch that begins at a sample: (first, size).
Step = Callable[[tf.Tensor, int], Logs]


class TensorFlowEpochs(EpochRunner):
    def __init__(self, model: Any, data: Data, batch_size: int, plan: Plan):
        super().__init__(model, data, batch_size, plan)
        self._data = map_arrays(tf.constant, data)
        self._is_replaceable = False
        self._order = tf.Variable(tf.range(self.samples, dtype="int32"), trainable=False)
        self._train = tf.function(self._train_steps, jit_compile=plan.jit, autograph=False)
        # Both run once per epoch: XLA would take longer to compile them than it could save.
        self._compiled_remainder = tf.function(self._train_remainder, autograph=False)
        self._test = tf.function(self._test_steps, autograph=False)

    def replace_data(self, data: Data) -> None:
        if not self._is_replaceable:
            # A traced function holds constants for good.
            assert not self._train.experimental_get_tracing_count() + self._test.experimental_get_tracing_count()
            self._data = map_arrays(lambda part: tf.Variable(part, trainable=False), self._data)
            self._is_replaceable = True
        for part, array in zip(arrays_of(self._data), arrays_of(data), strict=True):
            part.assign(array)

    def begin(self, order: np.ndarray) -> None:
        self._order.assign(order.astype("int32"))

    def run(self, start: int, stop: int) -> None:
        last = min(stop, self.full_batches)
        if start < last:
            self.logs = self._train(tf.constant(start), tf.constant(last))
        if stop > self.full_batches:
            self.logs = self._compiled_remainder()

    def end(self) -> None:
        """Do nothing: the steps write into the variables themselves."""

    def evaluate(self) -> None:
        self.logs = self._test()

    def _train_steps(self, start: tf.Tensor, stop: tf.Tensor) -> Logs:
        return self._loop(self._train_batch, start, stop)

    def _train_remainder(self) -> Logs:
        whole = self.full_batches * self.batch_size
        return self._train_batch(tf.constant(whole), self.samples - whole)

    def _train_batch(self, first: tf.Tensor, size: int) -> Logs:
        indices = tf.slice(self._order, [first], [size])
        return self._own_logs(self.model.train_step(map_arrays(lambda part: tf.gather(part, indices), self._data)))

    def _test_steps(self) -> Logs:
        whole = self.full_batches * self.batch_size
        logs = self._loop(self._test_batch, tf.constant(0), self.full_batches) if whole else {}
        return self._test_batch(tf.constant(whole), self.samples - whole) if whole < self.samples else logs

    def _test_batch(self, first: tf.Tensor, size: int) -> Logs:
        return self._own_logs(self.model.test_step(map_arrays(lambda part: _rows(part, first, size), self._data)))

    def _loop(self, train_or_test: Step, start: tf.Tensor, stop: tf.Tensor | int) -> Logs:
        """Run full batches one after the other; return the logs of the last one."""

        def step(number: tf.Tensor, logs: Logs) -> tuple[tf.Tensor, Logs]:
            return number + 1, _as_tensors(train_or_test(number * self.batch_size, self.batch_size))

        loop_variables = start, self._logs_before(train_or_test)
        _, logs = tf.while_loop(lambda number, logs: number < stop, step, loop_variables, parallel_iterations=1)
        return logs  # type: ignore[no-any-return]

    def _logs_before(self, train_or_test: Step) -> Logs:
        """Return logs of zeros: a loop carries values of fixed shapes, and needs some before the first step."""
        if not self._has_own_step:
            return {}
        traced = tf.function(lambda: _as_tensors(train_or_test(tf.constant(0), self.batch_size)), autograph=False)
        specs = traced.get_concrete_function().structured_outputs
        return {name: tf.zeros(spec.shape, spec.dtype) for name, spec in specs.items()}


def _as_tensors(logs: Logs) -> Logs:
    return {name: tf.convert_to_tensor(value) for name, value in logs.items()}


def _rows(values: tf.Tensor, first: tf.Tensor, size: int) -> tf.Tensor:
    """Return `values[first : first + size]` with a static shape."""
    others = values.shape.rank - 1
    return tf.slice(values, [first, *[0] * others], [size, *[-1] * others])
