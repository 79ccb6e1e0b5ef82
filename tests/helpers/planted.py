"""Models with a planted bug that shows only on the last installed backend, and some models without a bug.

Each bug has occurred in a real model; `trivium verify` must find and locate it. The bug is planted by a layer that asks
which backend it runs on.
"""

import keras
import numpy as np

from trivium.backends import catalog

IS_FAULTY_BACKEND = keras.config.backend() == catalog.trainers()[-1].name


class Transposing(keras.layers.Layer):
    """A dense layer that transposes its square kernel."""

    def build(self, shape):
        self.kernel = self.add_weight(shape=(shape[-1], shape[-1]), name="kernel")

    def call(self, inputs):
        return inputs @ (keras.ops.transpose(self.kernel) if IS_FAULTY_BACKEND else self.kernel)


class Standardising(keras.layers.Layer):
    """Standardises each sample, with a different epsilon."""

    def call(self, inputs):
        mean, variance = keras.ops.moments(inputs, axes=-1, keepdims=True)
        return (inputs - mean) / keras.ops.sqrt(variance + (1e-3 if IS_FAULTY_BACKEND else 1e-7))


class Noisy(keras.layers.Layer):
    """Draws from a random generator that Keras does not control."""

    def call(self, inputs):
        return inputs * np.random.default_rng().uniform(0.5, 1.5)


class Tiring(keras.layers.Layer):
    """Scales its outputs slightly from the third training step on."""

    def build(self, shape):
        self.seen = self.add_weight(name="seen", initializer="zeros", trainable=False)

    def call(self, inputs, training=False):
        if training:
            self.seen.assign(self.seen + 1)
        return inputs * (keras.ops.where(self.seen > 2, 1.01, 1.0) if IS_FAULTY_BACKEND else 1.0)


def stack(*middle, **compiled):
    model = keras.Sequential(
        [
            keras.Input((6,)),
            keras.layers.Dense(6, activation="tanh", name="before"),
            *middle,
            keras.layers.Dense(3, name="after"),
        ]
    )
    model.compile(**{"optimizer": "adam", "loss": "mean_squared_error", "metrics": ["mae"], **compiled})
    return model


def sound():
    return stack()


def transposed():
    return stack(Transposing(name="culprit"))


def epsilon():
    return stack(Standardising(name="culprit"))


def momentum():
    return stack(keras.layers.BatchNormalization(momentum=0.9 if IS_FAULTY_BACKEND else 0.99, name="culprit"))


def reduction():
    return stack(loss=keras.losses.MeanSquaredError(reduction="sum" if IS_FAULTY_BACKEND else "sum_over_batch_size"))


def noise():
    return stack(Noisy(name="culprit"))


def tiring():
    return stack(Tiring(name="culprit"))


def learning_rate():
    return stack(optimizer=keras.optimizers.SGD(0.02 if IS_FAULTY_BACKEND else 0.01))


class Counting(keras.metrics.Mean):
    """The mean output, of which some are counted twice."""

    def update_state(self, y_true, y_pred, sample_weight=None):
        return super().update_state(y_pred * (1.25 if IS_FAULTY_BACKEND else 1.0))


def metric():
    return stack(metrics=["mae", Counting(name="culprit")])


def wider():
    return stack(keras.layers.Dense(5 if IS_FAULTY_BACKEND else 4, name="culprit"))


def frozen():
    """As many trainable weights of the same shapes on each backend, but not the same ones."""
    return stack(
        keras.layers.Dense(6, name="culprit", trainable=not IS_FAULTY_BACKEND),
        keras.layers.Dense(6, trainable=IS_FAULTY_BACKEND),
    )


def of_many_kinds():
    """Several inputs and outputs, an embedding, recurrent layers, a nested and shared model, a regulariser."""
    words = keras.Input((None,), name="words")
    numbers = keras.Input((5,), name="numbers")
    other = keras.Input((5,), name="other")
    read = keras.layers.Embedding(11, 4)(words)
    read = keras.layers.Bidirectional(keras.layers.GRU(3, return_sequences=True))(read)
    read = keras.layers.LSTM(4)(read)
    inner = keras.Sequential([keras.Input((5,)), keras.layers.Dense(4), keras.layers.BatchNormalization()])
    both = keras.layers.concatenate([read, inner(numbers), inner(other)])
    hidden = keras.layers.Dense(6, activation="relu", kernel_regularizer="l2")(both)
    kind = keras.layers.Dense(3, activation="softmax", name="kind")(hidden)
    size = keras.layers.Dense(1, name="size")(hidden)
    model = keras.Model({"words": words, "numbers": numbers, "other": other}, {"kind": kind, "size": size})
    losses = {"kind": "sparse_categorical_crossentropy", "size": "mse"}
    model.compile("sgd", losses, metrics={"kind": ["accuracy"], "size": ["mae", "r2_score"]})
    return model


def embedding(optimizer="adam"):
    """Tokens that a batch repeats, and tokens that it lacks: TensorFlow's gradients of a lookup are sparse."""
    model = keras.Sequential([keras.Input((7,), dtype="int32"), keras.layers.Embedding(5, 3, name="table")])
    model.compile(optimizer=optimizer, loss="mean_squared_error")
    return model


def with_dropout():
    return stack(keras.layers.Dropout(0.5), keras.layers.GaussianNoise(0.1))


def mixed():
    """A layer in half precision, and one that is always in float32."""
    return stack(keras.layers.Dense(6, dtype="mixed_float16"), keras.layers.Dense(6, dtype="float32"))


def without_inputs():
    return keras.Sequential([keras.layers.Dense(2)])
