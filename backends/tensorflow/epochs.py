"""Epochs under TensorFlow: a loop over the steps inside one `tf.function`, compiled by XLA where that pays."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from ..epochs import Data, Epochs, Plan


class TensorFlowEpochs(Epochs):
    def __init__(self, model: Any, data: Data, batch_size: int, plan: Plan):
        super().__init__(model, data, batch_size, plan)
        self._data = tuple(tf.constant(array) for array in data)
        self._order = tf.Variable(tf.range(self.samples, dtype="int32"), trainable=False)
        self._train = tf.function(self._train_steps, jit_compile=plan.jit, autograph=False)
        # Once an epoch each: XLA would take longer to compile them than it could ever save.
        self._train_rest = tf.function(self._train_last, autograph=False)
        self._test = tf.function(self._test_steps, autograph=False)

    def begin(self, order: np.ndarray) -> None:
        self._order.assign(order.astype("int32"))

    def run(self, start: int, stop: int) -> None:
        last = min(stop, self.whole_steps)
        if start < last:
            self._train(tf.constant(start), tf.constant(last))
        if stop > self.whole_steps:
            self._train_rest()

    def end(self) -> None:
        """The steps have written into the variables themselves."""

    def evaluate(self) -> None:
        self._test()

    def _train_steps(self, start: tf.Tensor, stop: tf.Tensor) -> None:
        def step(number: tf.Tensor) -> tuple[tf.Tensor]:
            self._train_batch(number * self.batch_size, self.batch_size)
            return (number + 1,)

        tf.while_loop(lambda number: number < stop, step, (start,), parallel_iterations=1)

    def _train_last(self) -> None:
        whole = self.whole_steps * self.batch_size
        self._train_batch(tf.constant(whole), self.samples - whole)

    def _train_batch(self, first: tf.Tensor, size: int) -> None:
        chosen = tf.slice(self._order, [first], [size])
        self.model.train_step(tuple(tf.gather(part, chosen) for part in self._data))

    def _test_steps(self) -> None:
        def step(number: tf.Tensor) -> tuple[tf.Tensor]:
            self._test_batch(number * self.batch_size, self.batch_size)
            return (number + 1,)

        tf.while_loop(lambda number: number < self.whole_steps, step, (tf.constant(0),), parallel_iterations=1)
        whole = self.whole_steps * self.batch_size
        if whole < self.samples:
            self._test_batch(tf.constant(whole), self.samples - whole)

    def _test_batch(self, first: tf.Tensor, size: int) -> None:
        self.model.test_step(tuple(_rows(part, first, size) for part in self._data))


def _rows(values: tf.Tensor, first: tf.Tensor, size: int) -> tf.Tensor:
    """`values[first : first + size]`, its shape known while it is compiled."""
    others = values.shape.rank - 1
    return tf.slice(values, [first, *[0] * others], [size, *[-1] * others])
