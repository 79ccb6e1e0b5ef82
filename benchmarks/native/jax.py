"""Native JAX: pure functions over a list of arrays, compiled by the step or by the epoch; the state is donated."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from . import BETA_1, BETA_2, EPSILON, MAX_NORM, POOLING, RHO, SAME_PADDING, FitSettings, NativeLoop, NativeTask

Weights = Sequence[jax.Array]


def fit_settings(model: Any) -> list[FitSettings]:
    """Return the settings that an expert would try: the step is compiled anyway; several in a call spare callbacks."""
    return [FitSettings(1, jit_compile=True), FitSettings(32, jit_compile=True)]


def own_step_model() -> Any:
    """Return a subclass of `keras.Sequential` with a training step of its own."""
    import keras

    class Own(keras.Sequential):  # type: ignore[misc]
        def _loss_and_others(self, trainable: Any, others: Any, x: Any, y: Any) -> Any:
            answers, others = self.stateless_call(trainable, others, x, training=True)
            return self.compute_loss(x, y, answers), others

        def train_step(self, state: Any, data: Any) -> Any:
            trainable, others, optimizer, metrics = state
            differentiate = jax.value_and_grad(self._loss_and_others, has_aux=True)
            (loss, others), gradients = differentiate(trainable, others, *data)
            trainable, optimizer = self.optimizer.stateless_apply(optimizer, gradients, trainable)
            return {"loss": loss}, (trainable, others, optimizer, metrics)

    return Own


class Loop(NativeLoop):
    def __init__(self, task: NativeTask):
        self._task = task
        self._x, self._y = jnp.asarray(task.x), jnp.asarray(task.y)
        weights = [jnp.asarray(weights) for weights in task.weights]
        self._state = {
            "weights": weights,
            "moments": [[jnp.zeros_like(weight) for weight in weights] for _ in range(2)],
            "count": jnp.zeros((), "int32"),
            "key": jax.random.key(0),
        }
        self._step = jax.jit(functools.partial(_step, task), donate_argnums=(0, 1))

    def train_epoch(self, order: np.ndarray) -> float:
        state, totals = self._state, jnp.zeros(2)
        for indices in self._task.batches(order.astype("int32")):
            state, totals = self._step(state, totals, self._x, self._y, indices)
        self._state = state
        return float(totals[0]) / len(order)


class CompiledLoop(Loop):
    """All full batches of an epoch in one `lax.scan`."""

    def __init__(self, task: NativeTask):
        super().__init__(task)
        self._scan = jax.jit(functools.partial(_scan, task), donate_argnums=(0, 1))

    def train_epoch(self, order: np.ndarray) -> float:
        batches, rest = self._task.full_batches(order.astype("int32"))
        state, totals = self._scan(self._state, jnp.zeros(2), self._x, self._y, batches)
        if len(rest):
            state, totals = self._step(state, totals, self._x, self._y, rest)
        self._state = state
        return float(totals[0]) / len(order)


def _scan(task: NativeTask, state: dict[str, Any], totals: jax.Array, x: Any, y: Any, batches: Any) -> Any:
    def step(carried: Any, indices: Any) -> Any:
        state, totals = carried
        return _step(task, state, totals, x, y, indices), None

    return jax.lax.scan(step, (state, totals), batches)[0]


def _step(task: NativeTask, state: dict[str, Any], totals: jax.Array, x: Any, y: Any, indices: Any) -> Any:
    key, dropout_key = jax.random.split(state["key"])
    measure = jax.value_and_grad(functools.partial(_loss, task), has_aux=True)
    (loss, correct), gradients = measure(state["weights"], x[indices], y[indices], dropout_key)
    count = state["count"] + 1
    update = _adam if task.optimizer == "adam" else _rmsprop
    weights, moments = update(task.learning_rate, state["weights"], gradients, state["moments"], count)
    if task.family == "cnn":
        weights = [_clip_norm(weight) if weight.ndim == 4 else weight for weight in weights]
    state = {"weights": weights, "moments": moments, "count": count, "key": key}
    return state, totals + jnp.stack([loss * len(indices), correct])


def _loss(
    task: NativeTask, weights: Weights, x: jax.Array, y: jax.Array, key: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """Return the mean loss, and the number of correct predictions."""
    forward: Callable[..., jax.Array] = {"dense": _dense, "cnn": _cnn, "rnn": _lstms, "text": _lstms}[task.family]
    answers = forward(task, weights, x, key)
    if not task.classifies:
        return jnp.mean((answers - y) ** 2), jnp.zeros(())
    likelihood = jnp.take_along_axis(jax.nn.log_softmax(answers), y[:, None], axis=1)
    return -likelihood.mean(), jnp.sum(answers.argmax(1) == y).astype("float32")


def _dense(task: NativeTask, weights: Weights, x: jax.Array, key: jax.Array) -> jax.Array:
    kernel, bias, kernel_2, bias_2 = weights
    return jax.nn.relu(x @ kernel + bias) @ kernel_2 + bias_2


def _cnn(task: NativeTask, weights: Weights, x: jax.Array, key: jax.Array) -> jax.Array:
    for layer, dropout_key in enumerate(jax.random.split(key)):
        kernel, bias = weights[2 * layer : 2 * layer + 2]
        padding = [SAME_PADDING[task.strides][layer]] * 2
        layout = ("NHWC", "HWIO", "NHWC")
        x = jax.lax.conv_general_dilated(x, kernel, (task.strides,) * 2, padding, dimension_numbers=layout)
        x = jax.nn.relu(x + bias)
        if task.dropout:
            mask = jax.random.bernoulli(dropout_key, 1 - task.dropout, x.shape)
            x = jnp.where(mask, x / (1 - task.dropout), 0)
        if task.recipe == POOLING:
            x = jax.lax.reduce_window(x, -jnp.inf, jax.lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID")
    x = x.reshape(len(x), -1)
    x = jax.nn.relu(x @ weights[4] + weights[5])
    x = jax.nn.relu(x @ weights[6] + weights[7])
    return x @ weights[8] + weights[9]


def _lstms(task: NativeTask, weights: Weights, x: jax.Array, key: jax.Array) -> jax.Array:
    """Stacked LSTM layers, and a dense layer on the last step."""
    *recurrent, kernel, bias = weights
    x = jax.nn.one_hot(x, recurrent[0].shape[0]) if task.family == "text" else x
    x = x.swapaxes(0, 1)
    for first in range(0, len(recurrent), 3):
        x = _lstm(recurrent[first], recurrent[first + 1], recurrent[first + 2], x)
    return x[-1] @ kernel + bias


def _lstm(kernel: jax.Array, recurrent: jax.Array, bias: jax.Array, x: jax.Array) -> jax.Array:
    """(steps, n, features) → (steps, n, units). The input projections of all steps are one product."""

    def step(
        state: tuple[jax.Array, jax.Array], step_input: jax.Array
    ) -> tuple[tuple[jax.Array, jax.Array], jax.Array]:
        hidden, memory = state
        enter, forget, new, leave = jnp.split(step_input + hidden @ recurrent, 4, axis=-1)
        memory = jax.nn.sigmoid(forget) * memory + jax.nn.sigmoid(enter) * jnp.tanh(new)
        hidden = jax.nn.sigmoid(leave) * jnp.tanh(memory)
        return (hidden, memory), hidden

    zeros = jnp.zeros((x.shape[1], recurrent.shape[0]))
    _, outputs = jax.lax.scan(step, (zeros, zeros), x @ kernel + bias)
    return outputs


def _adam(rate: float, weights: Weights, gradients: Weights, moments: Any, count: jax.Array) -> Any:
    first, second = moments
    first = [BETA_1 * m + (1 - BETA_1) * g for m, g in zip(first, gradients, strict=True)]
    second = [BETA_2 * v + (1 - BETA_2) * g * g for v, g in zip(second, gradients, strict=True)]
    rate = rate * jnp.sqrt(1 - BETA_2**count) / (1 - BETA_1**count)
    stepped = zip(weights, first, second, strict=True)
    return [w - rate * m / (jnp.sqrt(v) + EPSILON) for w, m, v in stepped], [first, second]


def _rmsprop(rate: float, weights: Weights, gradients: Weights, moments: Any, count: jax.Array) -> Any:
    unused, second = moments
    second = [RHO * v + (1 - RHO) * g * g for v, g in zip(second, gradients, strict=True)]
    stepped = zip(weights, gradients, second, strict=True)
    return [w - rate * g / jnp.sqrt(v + EPSILON) for w, g, v in stepped], [unused, second]


def _clip_norm(kernel: jax.Array) -> jax.Array:
    # Keras' MaxNorm takes the norm along the first axis, whatever the layer.
    norm = jnp.sqrt(jnp.sum(kernel**2, axis=0, keepdims=True))
    return kernel * jnp.clip(norm, 0, MAX_NORM) / (EPSILON + norm)
