"""Several networks trained in turn in TensorFlow: one step as a `tf.function`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import tensorflow as tf

from .. import turn_task
from ..turn_task import TurnTask, layers_of
from .optimizers import make_update

Networks = Mapping[str, Sequence[tf.Variable]]


class TurnLoop(turn_task.TurnLoop):
    def __init__(self, task: TurnTask):
        self._task = task
        self._x, self._y = tf.constant(task.x), tf.constant(task.y)
        self._networks = {name: [tf.Variable(weight) for weight in weights] for name, weights in task.weights.items()}
        self._trained = {
            turn: [weight for name in names for weight in self._networks[name]] for turn, names in task.trains.items()
        }
        self._updates = {turn: make_update(task, weights) for turn, weights in self._trained.items()}
        self._total = tf.Variable(0.0, trainable=False)
        self._step = tf.function(self._train)

    def train_epoch(self, order: np.ndarray) -> float:
        self._total.assign(0.0)
        for indices in self._task.batches(order.astype("int32")):
            self._step(tf.constant(indices))
        return float(self._total) / len(order)

    def _train(self, indices: tf.Tensor) -> None:
        x, y = tf.gather(self._x, indices), tf.gather(self._y, indices)
        for turn, weights in self._trained.items():
            with tf.GradientTape() as tape:
                loss = _LOSSES[self._task.name][turn](self._networks, x, y, self._task.noise)
            self._updates[turn](tape.gradient(loss, weights))
            self._total.assign_add(loss * self._task.batch_size)


def _dense(weights: Sequence[tf.Variable], x: tf.Tensor) -> tf.Tensor:
    *hidden, (kernel, bias) = layers_of(weights)
    for inner_kernel, inner_bias in hidden:
        x = tf.nn.relu(tf.nn.bias_add(tf.matmul(x, inner_kernel), inner_bias))
    return tf.nn.bias_add(tf.matmul(x, kernel), bias)


def _vae(networks: Networks, x: tf.Tensor, y: tf.Tensor, noise: float) -> tf.Tensor:
    mean, log_variance = tf.split(_dense(networks["encoder"], x), 2, axis=-1)
    codes = mean + noise * tf.exp(log_variance / 2) * tf.random.normal(mean.shape)
    rebuilt = tf.sigmoid(_dense(networks["decoder"], codes))
    divergence = tf.reduce_mean(tf.reduce_sum(mean**2 + tf.exp(log_variance) - log_variance - 1, axis=-1)) / 2
    return tf.reduce_mean(tf.reduce_sum((rebuilt - x) ** 2, axis=-1)) + divergence


def _cross_entropy(logits: tf.Tensor, real: float) -> tf.Tensor:
    return tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(tf.fill(logits.shape, real), logits))


def _critic(networks: Networks, x: tf.Tensor, y: tf.Tensor, noise: float) -> tf.Tensor:
    fake = tf.sigmoid(_dense(networks["answers"], x))
    return _cross_entropy(_dense(networks["critic"], y), 1.0) + _cross_entropy(_dense(networks["critic"], fake), 0.0)


def _generator(networks: Networks, x: tf.Tensor, y: tf.Tensor, noise: float) -> tf.Tensor:
    fake = tf.sigmoid(_dense(networks["answers"], x))
    return _cross_entropy(_dense(networks["critic"], fake), 1.0)


def _siamese(networks: Networks, x: tf.Tensor, y: tf.Tensor, noise: float) -> tf.Tensor:
    codes = _dense(networks["answers"], x)
    codes = codes / tf.sqrt(tf.reduce_sum(codes**2, axis=-1, keepdims=True) + 1e-6)
    distances = 2 - 2 * tf.matmul(codes, codes, transpose_b=True)
    alike = tf.cast(y[:, None] == y[None], codes.dtype)
    return tf.reduce_mean(alike * distances + (1 - alike) * tf.maximum(0.0, 1 - distances) ** 2)


def _student(networks: Networks, x: tf.Tensor, y: tf.Tensor, noise: float) -> tf.Tensor:
    logits = _dense(networks["answers"], x)
    taught = tf.nn.softmax(_dense(networks["teacher"], x))
    own = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(y, logits))
    return own + tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(taught, logits))


_LOSSES: dict[str, dict[str, Callable[..., tf.Tensor]]] = {
    "vae": {"loss": _vae},
    "gan": {"critic": _critic, "generator": _generator},
    "siamese": {"loss": _siamese},
    "student": {"loss": _student},
}
