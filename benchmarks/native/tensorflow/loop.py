"""The training loop in TensorFlow: one step as a `tf.function`, or an epoch's full batches in one `tf.while_loop`."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from ..loop import NativeLoop
from ..task import NativeTask
from .devices import compiles_convolutions
from .forward_pass import ForwardPass
from .losses import losses_and_correct
from .models import FORWARD
from .optimizers import make_update
from .pictures import limit_norm


class Loop(NativeLoop):
    _loops = False  # recurrent layers over their steps

    def __init__(self, task: NativeTask):
        self._task = task
        self._x, self._y = tf.nest.map_structure(tf.constant, task.x), tf.constant(task.y)
        self._weights = [tf.Variable(weight) for weight in task.weights]
        self._statistics = [tf.Variable(statistic, trainable=False) for statistic in task.statistics]
        self._update = make_update(task, self._weights)
        # The summed loss, and the number of correct predictions.
        self._totals = tf.Variable([0.0, 0.0], trainable=False)
        self._step = tf.function(self._train, reduce_retracing=True)

    def train_epoch(self, order: np.ndarray) -> float:
        self._totals.assign([0.0, 0.0])
        for indices in self._task.batches(order.astype("int32")):
            self._step(tf.constant(indices))
        return float(self._totals[0]) / len(order)

    def weights(self) -> list[np.ndarray]:
        return [weight.numpy() for weight in self._weights]

    def statistics(self) -> list[np.ndarray]:
        return [statistic.numpy() for statistic in self._statistics]

    def _train(self, indices: tf.Tensor) -> None:
        x = tf.nest.map_structure(lambda part: tf.gather(part, indices), self._x)
        y = tf.gather(self._y, indices)
        with tf.GradientTape() as tape:
            forward = ForwardPass(self._task, self._weights, self._statistics, self._loops)
            outputs = FORWARD[self._task.recipe](forward, x)
            losses, correct = losses_and_correct(self._task, outputs, y)
            loss = tf.reduce_mean(losses)
        self._update(tape.gradient(loss, self._weights))
        if self._task.limits_norms:
            for kernel in (weight for weight in self._weights if weight.shape.rank == 4):
                kernel.assign(limit_norm(kernel))
        self._totals.assign_add([tf.reduce_sum(losses), correct])


class CompiledLoop(Loop):
    """All full batches of an epoch in one `tf.while_loop`, compiled by XLA where that is not known to be slow."""

    _loops = True

    def __init__(self, task: NativeTask):
        super().__init__(task)
        by_xla = compiles_convolutions() or not task.is_convolutional
        self._steps = tf.function(self._train_all, jit_compile=by_xla, reduce_retracing=True)

    def train_epoch(self, order: np.ndarray) -> float:
        batches, rest = self._task.full_batches(order.astype("int32"))
        self._totals.assign([0.0, 0.0])
        if len(batches):
            self._steps(tf.constant(batches))
        if len(rest):
            self._step(tf.constant(rest))
        return float(self._totals[0]) / len(order)

    def _train_all(self, batches: tf.Tensor) -> None:
        def step(number: tf.Tensor) -> tuple[tf.Tensor]:
            self._train(batches[number])
            return (number + 1,)

        tf.while_loop(lambda number: number < len(batches), step, (tf.constant(0),))
