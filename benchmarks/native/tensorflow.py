"""Native TensorFlow: `tf.Variable`s, `tf.nn`, and one step or one epoch as a `tf.function`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from ...backends.epochs import has_convolutions
from . import BETA_1, BETA_2, EPSILON, MAX_NORM, POOLING, RHO, SAME_PADDING, FitSettings, NativeLoop, NativeTask


def fit_settings(model: Any) -> list[FitSettings]:
    """Return the settings that an expert would try: several steps in a call, and XLA where it is not known to be slow.

    On a CPU, XLA's convolutions take twenty times as long as TensorFlow's own.
    """
    plain, compiled = FitSettings(32), FitSettings(32, jit_compile=True)
    on_cpu = not tf.config.list_logical_devices("GPU")
    return [plain] if on_cpu and has_convolutions(model) else [plain, compiled]


def own_step_model() -> Any:
    """Return a subclass of `keras.Sequential` with a training step of its own."""
    import keras

    class Own(keras.Sequential):  # type: ignore[misc]
        def train_step(self, data: Any) -> Any:
            x, y = data
            with tf.GradientTape() as tape:
                loss = self.compute_loss(x, y, self(x, training=True))
            gradients = tape.gradient(loss, self.trainable_variables)
            self.optimizer.apply_gradients(zip(gradients, self.trainable_variables, strict=True))
            return {"loss": loss}

    return Own


class Loop(NativeLoop):
    def __init__(self, task: NativeTask):
        self._task = task
        self._data = tf.constant(task.x), tf.constant(task.y)
        self._weights = [tf.Variable(weights) for weights in task.weights]
        self._first = [tf.Variable(tf.zeros_like(weights), trainable=False) for weights in self._weights]
        self._second = [tf.Variable(tf.zeros_like(weights), trainable=False) for weights in self._weights]
        self._count = tf.Variable(0.0, trainable=False)
        self._totals = tf.Variable(
            [0.0, 0.0], trainable=False
        )  # the summed loss, and the number of correct predictions
        self._step = tf.function(self._train, reduce_retracing=True)

    def train_epoch(self, order: np.ndarray) -> float:
        self._totals.assign([0.0, 0.0])
        for indices in self._task.batches(order.astype("int32")):
            self._step(tf.constant(indices))
        return float(self._totals[0]) / len(order)

    def _train(self, indices: tf.Tensor) -> None:
        x, y = (tf.gather(part, indices) for part in self._data)
        with tf.GradientTape() as tape:
            answers = self._forward(x)
            if self._task.classifies:
                losses = tf.nn.sparse_softmax_cross_entropy_with_logits(y, answers)
                right = tf.argmax(answers, 1, output_type=y.dtype) == y
            else:
                losses, right = tf.reduce_mean((answers - y) ** 2, axis=1), tf.zeros([1])
            loss = tf.reduce_mean(losses)
        gradients = tape.gradient(loss, self._weights)
        self._count.assign_add(1.0)
        (self._adam if self._task.optimizer == "adam" else self._rmsprop)(gradients)
        if self._task.family == "cnn":
            for kernel in (self._weights[0], self._weights[2]):
                kernel.assign(_clip_norm(kernel))
        self._totals.assign_add([tf.reduce_sum(losses), tf.reduce_sum(tf.cast(right, "float32"))])

    def _forward(self, x: tf.Tensor) -> tf.Tensor:
        task, weights = self._task, self._weights
        if task.family == "dense":
            return tf.nn.relu(x @ weights[0] + weights[1]) @ weights[2] + weights[3]
        return _cnn(task, weights, x) if task.family == "cnn" else _lstms(task, weights, x)

    def _adam(self, gradients: Sequence[tf.Tensor]) -> None:
        rate = self._task.learning_rate * tf.sqrt(1 - BETA_2**self._count) / (1 - BETA_1**self._count)
        for weights, g, m, v in zip(self._weights, gradients, self._first, self._second, strict=True):
            m.assign_add((g - m) * (1 - BETA_1))
            v.assign_add((g * g - v) * (1 - BETA_2))
            weights.assign_sub(rate * m / (tf.sqrt(v) + EPSILON))

    def _rmsprop(self, gradients: Sequence[tf.Tensor]) -> None:
        for weights, g, v in zip(self._weights, gradients, self._second, strict=True):
            v.assign_add((g * g - v) * (1 - RHO))
            weights.assign_sub(self._task.learning_rate * g / tf.sqrt(v + EPSILON))


class CompiledLoop(Loop):
    """All full batches of an epoch in one `tf.while_loop`, compiled by XLA."""

    def __init__(self, task: NativeTask):
        super().__init__(task)
        self._steps = tf.function(self._train_all, jit_compile=True, reduce_retracing=True)

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


def _cnn(task: NativeTask, weights: Sequence[tf.Variable], x: tf.Tensor) -> tf.Tensor:
    for kernel, bias in (weights[0:2], weights[2:4]):
        x = tf.nn.relu(tf.nn.conv2d(x, kernel, task.strides, _padding(task, kernel)) + bias)
        if task.dropout:
            x = tf.nn.dropout(x, task.dropout)
        if task.recipe == POOLING:
            x = tf.nn.max_pool2d(x, 2, 2, "VALID")
    x = tf.reshape(x, [-1, math.prod(x.shape[1:])])
    x = tf.nn.relu(x @ weights[4] + weights[5])
    x = tf.nn.relu(x @ weights[6] + weights[7])
    return x @ weights[8] + weights[9]


def _padding(task: NativeTask, kernel: tf.Variable) -> list[tuple[int, int]]:
    sides = SAME_PADDING[task.strides][0 if kernel.shape[0] == 5 else 1]
    return [(0, 0), sides, sides, (0, 0)]


def _lstms(task: NativeTask, weights: Sequence[tf.Variable], x: tf.Tensor) -> tf.Tensor:
    """Stacked LSTM layers, and a dense layer on the last step."""
    *recurrent, kernel, bias = weights
    x = tf.one_hot(x, recurrent[0].shape[0]) if task.family == "text" else x
    for first in range(0, len(recurrent), 3):
        x = _lstm(recurrent[first], recurrent[first + 1], recurrent[first + 2], x)
    return x[:, -1] @ kernel + bias


def _lstm(kernel: tf.Variable, recurrent: tf.Variable, bias: tf.Variable, x: tf.Tensor) -> tf.Tensor:
    """(n, steps, features) → (n, steps, units), unrolled over the steps."""
    hidden = memory = tf.zeros([tf.shape(x)[0], recurrent.shape[0]])
    outputs = []
    for step_input in tf.unstack(tf.matmul(x, kernel) + bias, num=x.shape[1], axis=1):
        enter, forget, new, leave = tf.split(step_input + hidden @ recurrent, 4, axis=1)
        memory = tf.sigmoid(forget) * memory + tf.sigmoid(enter) * tf.tanh(new)
        hidden = tf.sigmoid(leave) * tf.tanh(memory)
        outputs.append(hidden)
    return tf.stack(outputs, axis=1)


def _clip_norm(kernel: tf.Variable) -> tf.Tensor:
    # Keras' MaxNorm takes the norm along the first axis, whatever the layer.
    norm = tf.sqrt(tf.reduce_sum(kernel**2, axis=0, keepdims=True))
    return kernel * tf.clip_by_value(norm, 0, MAX_NORM) / (EPSILON + norm)
