"""Models drawn at random, each written by two hands: one computation, and other layers, names and orders.

`drawn(seed)` returns the two. The first hand fuses what Keras can fuse; the second takes it apart.
"""

import keras
import numpy as np
from keras import layers, ops

ACTIVATIONS = ("relu", "tanh", "silu", "gelu", "elu", "sigmoid")


class FirstHand:
    """Activations inside layers, padding by name, named layers where Keras has one."""

    def __init__(self):
        self.count = 0

    def name(self):
        self.count += 1
        return f"layer{self.count}"

    def dense(self, x, units, activation):
        return layers.Dense(units, activation=activation, name=self.name())(x)

    def pointwise(self, x, filters, activation):
        return layers.Conv2D(filters, 1, activation=activation, name=self.name())(x)

    def conv(self, x, filters, size, activation):
        return layers.Conv2D(filters, size, padding="same", activation=activation, name=self.name())(x)

    def pool(self, x):
        return layers.MaxPooling2D(2)(x)

    def norm(self, x):
        return layers.BatchNormalization(name=self.name())(x)

    def residual(self, x, function):
        return layers.Add()([x, function(x)])

    def mean(self, x):
        return layers.GlobalAveragePooling2D()(x) if len(x.shape) == 4 else layers.GlobalAveragePooling1D()(x)

    def attention(self, x, heads):
        return layers.MultiHeadAttention(heads, x.shape[-1] // heads, name=self.name())(x, x)


class SecondHand(FirstHand):
    """Activations and padding as layers of their own, matrices as einsums, operators in place of layers."""

    def name(self):
        self.count += 1
        return f"z{97 * self.count % 101}"

    def activated(self, x, activation):
        return x if activation is None else layers.Activation(activation)(x)

    def dense(self, x, units, activation):
        equation = {2: "ab,bc->ac", 3: "abc,cd->abd"}[len(x.shape)]
        x = layers.EinsumDense(equation, (*x.shape[1:-1], units), bias_axes=equation[-1], name=self.name())(x)
        return self.activated(x, activation)

    def pointwise(self, x, filters, activation):
        return self.activated(layers.Dense(filters, name=self.name())(x), activation)

    def conv(self, x, filters, size, activation):
        x = layers.ZeroPadding2D(size // 2)(x)
        return self.activated(layers.Conv2D(filters, size, name=self.name())(x), activation)

    def pool(self, x):
        return ops.max_pool(x, 2, 2)

    def residual(self, x, function):
        return function(x) + x

    def mean(self, x):
        return ops.mean(x, axis=tuple(range(1, len(x.shape) - 1)))


def drawn(seed):
    """Return two models of one computation."""
    kind = ("picture", "sequence", "table")[seed % 3]
    return [globals()[kind](hand, np.random.default_rng(seed)) for hand in (FirstHand(), SecondHand())]


def picture(hand, generator):
    x = inputs = keras.Input((12, 12, int(generator.integers(1, 4))))
    x = hand.conv(x, 6, 3, None)
    for _ in range(generator.integers(2, 5)):
        activation = str(generator.choice(ACTIVATIONS))
        step = generator.integers(5)
        if step == 0:
            x = hand.conv(x, int(generator.integers(4, 9)), int(generator.choice((3, 5))), activation)
        elif step == 1:
            x = hand.pointwise(x, int(generator.integers(4, 9)), activation)
        elif step == 2 and x.shape[1] >= 6:
            x = hand.pool(x)
        elif step == 3:
            x = hand.norm(x)
        else:
            width = x.shape[-1]
            x = hand.residual(x, lambda y, width=width, activation=activation: hand.conv(y, width, 3, activation))
    x = hand.mean(x) if generator.integers(2) else layers.Flatten()(x)
    return keras.Model(inputs, hand.dense(x, 3, None))


def sequence(hand, generator):
    tokens = keras.Input((6,), dtype="int32")
    x = layers.Embedding(15, 8, name=hand.name())(tokens)
    for _ in range(generator.integers(1, 4)):
        step = generator.integers(4)
        if step == 0:
            x = layers.LSTM(8, return_sequences=True, name=hand.name())(x)
        elif step == 1:
            x = layers.Bidirectional(layers.GRU(4, return_sequences=True), name=hand.name())(x)
        elif step == 2:
            x = hand.residual(x, lambda y: hand.attention(layers.LayerNormalization(name=hand.name())(y), 2))
        else:
            activation = str(generator.choice(ACTIVATIONS))
            x = hand.residual(x, lambda y, a=activation: hand.dense(hand.dense(y, 12, a), 8, None))
    return keras.Model(tokens, hand.dense(hand.mean(x), 2, "sigmoid"))


def table(hand, generator):
    left, right = keras.Input((5,)), keras.Input((5,))
    widths = [int(generator.integers(4, 9)) for _ in range(3)]
    x = hand.dense(left, widths[0], str(generator.choice(ACTIVATIONS)))
    y = hand.dense(right, widths[0], str(generator.choice(ACTIVATIONS)))
    x = layers.Concatenate()([x, y]) if generator.integers(2) else hand.residual(x, lambda _: y)
    for width in widths[1:]:
        x = hand.dense(x, width, str(generator.choice(ACTIVATIONS)))
        x = hand.norm(x) if generator.integers(2) else x
    return keras.Model([left, right], [hand.dense(x, 1, None), hand.dense(x, 2, "softmax")])
