"""Epochs under TensorFlow: a loop over the steps inside one `tf.function`, compiled by XLA where that is faster."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from ..epochs import Data, EpochRunner, Plan


class TensorFlowEpochs(EpochRunner):
    def __init__(self, model: Any, data: Data, batch_size: int, plan: Plan):
        super().__init__(model, data, batch_size, plan)
        self._data = tuple(tf.constant(array) for array in data)
        self._order = tf.Variable(tf.range(self.samples, dtype="int32"), trainable=False)
        self._train = tf.function(self._train_steps, jit_compile=plan.jit, autograph=False)
        # Both run once per epoch: XLA would take longer to compile them than it could save.
        self._compiled_remainder = tf.function(self._train_remainder, autograph=False)
        self._test = tf.function(self._test_steps, autograph=False)

    def replace_data(self, data: Data) -> None:
        if not isinstance(self._data[0], tf.Variable):
            # A traced function holds constants for good.
            assert not self._train.experimental_get_tracing_count() + self._test.experimental_get_tracing_count()
            self._data = tuple(tf.Variable(part, trainable=False) for part in self._data)
        for part, array in zip(self._data, data, strict=True):
            part.assign(array)

    def begin(self, order: np.ndarray) -> None:
        self._order.assign(order.astype("int32"))

    def run(self, start: int, stop: int) -> None:
        last = min(stop, self.full_batches)
        if start < last:
            self._train(tf.constant(start), tf.constant(last))
        if stop > self.full_batches:
            self._compiled_remainder()

    def end(self) -> None:
        """Do nothing: the steps write into the variables themselves."""

    def evaluate(self) -> None:
        self._test()

    def _train_steps(self, start: tf.Tensor, stop: tf.Tensor) -> None:
        def step(number: tf.Tensor) -> tuple[tf.Tensor]:
            self._train_batch(number * self.batch_size, self.batch_size)
            return (number + 1,)

        tf.while_loop(lambda number: number < stop, step, (start,), parallel_iterations=1)

    def _train_remainder(self) -> None:
        whole = self.full_batches * self.batch_size
        self._train_batch(tf.constant(whole), self.samples - whole)

    def _train_batch(self, first: tf.Tensor, size: int) -> None:
        indices = tf.slice(self._order, [first], [size])
        self.model.train_step(tuple(tf.gather(part, indices) for part in self._data))

    def _test_steps(self) -> None:
        def step(number: tf.Tensor) -> tuple[tf.Tensor]:
            self._test_batch(number * self.batch_size, self.batch_size)
            return (number + 1,)

        tf.while_loop(lambda number: number < self.full_batches, step, (tf.constant(0),), parallel_iterations=1)
        whole = self.full_batches * self.batch_size
        if whole < self.samples:
            self._test_batch(tf.constant(whole), self.samples - whole)

    def _test_batch(self, first: tf.Tensor, size: int) -> None:
        self.model.test_step(tuple(_rows(part, first, size) for part in self._data))


def _rows(values: tf.Tensor, first: tf.Tensor, size: int) -> tf.Tensor:
    """Return `values[first : first + size]` with a static shape."""
    others = values.shape.rank - 1
    return tf.slice(values, [first, *[0] * others], [size, *[-1] * others])
