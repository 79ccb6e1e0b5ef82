"""The architectures of `networks_in_torch.py` as a person writes them in Keras: channels last, and other names."""

import keras
from keras import layers, ops


def mlp():
    return keras.Sequential(
        [
            keras.Input((20,)),
            layers.Dense(32, activation="relu"),
            layers.Dense(16, activation="tanh"),
            layers.Dense(3),
        ]
    )


def lenet():
    return keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            layers.Conv2D(6, 5, padding="same", activation="tanh"),
            layers.AveragePooling2D(2),
            layers.Conv2D(16, 5, activation="tanh"),
            layers.AveragePooling2D(2),
            layers.Flatten(),
            layers.Dense(120, activation="tanh"),
            layers.Dense(84, activation="tanh"),
            layers.Dense(10),
        ]
    )


def _norm(x):
    return layers.BatchNormalization(momentum=0.9, epsilon=1e-5)(x)


def _block(x, filters, stride):
    shortcut = x
    if stride > 1 or x.shape[-1] != filters:
        shortcut = _norm(layers.Conv2D(filters, 1, stride, use_bias=False)(x))
    y = layers.ZeroPadding2D(1)(x)
    y = _norm(layers.Conv2D(filters, 3, stride, use_bias=False)(y))
    y = layers.ReLU()(y)
    y = _norm(layers.Conv2D(filters, 3, padding="same", use_bias=False)(y))
    return layers.ReLU()(layers.Add()([shortcut, y]))


def resnet18():
    inputs = keras.Input((64, 64, 3))
    x = layers.ZeroPadding2D(3)(inputs)
    x = layers.ReLU()(_norm(layers.Conv2D(16, 7, 2, use_bias=False)(x)))
    x = layers.MaxPooling2D(3, 2)(layers.ZeroPadding2D(1)(x))
    for filters, stride in ((16, 1), (32, 2), (64, 2), (128, 2)):
        x = _block(_block(x, filters, stride), filters, 1)
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(inputs, layers.Dense(10, name="predictions")(x))


def mobilenet_block():
    inputs = keras.Input((12, 12, 8))
    x = layers.ReLU(6.0)(_norm(layers.Conv2D(48, 1, use_bias=False)(inputs)))
    x = layers.ReLU(6.0)(_norm(layers.DepthwiseConv2D(3, padding="same", use_bias=False)(x)))
    x = _norm(layers.Conv2D(8, 1, use_bias=False)(x))
    return keras.Model(inputs, layers.add([inputs, x]))


def _double(x, filters):
    for _ in range(2):
        x = layers.Conv2D(filters, 3, padding="same", activation="relu")(x)
    return x


def unet():
    inputs = keras.Input((16, 16, 1))
    first = _double(inputs, 8)
    second = _double(layers.MaxPooling2D()(first), 16)
    x = _double(layers.MaxPooling2D()(second), 32)
    x = layers.Conv2DTranspose(16, 2, 2)(x)
    x = _double(layers.Concatenate()([second, x]), 16)
    x = layers.Conv2DTranspose(8, 2, 2)(x)
    x = _double(layers.Concatenate()([first, x]), 8)
    return keras.Model(inputs, layers.Conv2D(2, 1)(x))


def lstm_tagger():
    tokens = keras.Input((7,), dtype="int32")
    x = layers.Embedding(50, 12)(tokens)
    x = layers.Bidirectional(layers.LSTM(10, return_sequences=True))(x)
    return keras.Model(tokens, layers.TimeDistributed(layers.Dense(5))(x))


def gru_forecaster():
    series = keras.Input((9, 3))
    x = layers.GRU(12, return_sequences=True)(series)
    x = layers.GRU(12)(x)
    return keras.Model(series, layers.Dense(1)(x))


class Positions(layers.Layer):
    def build(self, shape):
        self.table = self.add_weight(shape=shape[1:], name="table")

    def call(self, x):
        return x + self.table


def transformer_encoder():
    tokens = keras.Input((6,), dtype="int32")
    x = Positions()(layers.Embedding(40, 16)(tokens))
    for _ in range(2):
        y = layers.LayerNormalization(epsilon=1e-5)(x)
        x = x + layers.MultiHeadAttention(4, 4)(y, y)
        y = layers.LayerNormalization(epsilon=1e-5)(x)
        x = x + layers.Dense(16)(layers.Dense(32, activation="relu")(y))
    x = layers.GlobalAveragePooling1D()(layers.LayerNormalization(epsilon=1e-5)(x))
    return keras.Model(tokens, layers.Dense(3)(x))


def vit():
    inputs = keras.Input((16, 16, 3))
    x = layers.Conv2D(24, 4, 4)(inputs)
    x = Positions()(layers.Reshape((16, 24))(x))
    for _ in range(3):
        y = layers.LayerNormalization(epsilon=1e-6)(x)
        x = layers.Add()([x, layers.MultiHeadAttention(3, 8)(y, y)])
        y = layers.LayerNormalization(epsilon=1e-6)(x)
        y = layers.Dense(24)(layers.Dense(48, activation="gelu")(y))
        x = layers.Add()([x, y])
    x = layers.GlobalAveragePooling1D()(layers.LayerNormalization(epsilon=1e-6)(x))
    return keras.Model(inputs, layers.Dense(5)(x))


def vae():
    inputs = keras.Input((30,))
    x = layers.Dense(16, activation="relu")(inputs)
    mean = layers.Dense(4, name="z_mean")(x)
    log_variance = layers.Dense(4, name="z_log_var")(x)
    y = layers.Dense(16, activation="relu")(mean)
    y = layers.Dense(30, activation="sigmoid")(y)
    return keras.Model(inputs, [y, mean, log_variance])


def siamese():
    tower = keras.Sequential([keras.Input((10,)), layers.Dense(24, activation="relu"), layers.Dense(8)], name="tower")
    left, right = keras.Input((10,), name="left"), keras.Input((10,), name="right")
    distance = ops.abs(tower(left) - tower(right))
    return keras.Model([left, right], layers.Dense(1, activation="sigmoid")(distance))


def dcgan_generator():
    z = keras.Input((16,))
    x = layers.Reshape((4, 4, 32))(layers.Dense(4 * 4 * 32)(z))
    x = layers.LeakyReLU(0.2)(_norm(x))
    x = _norm(layers.Conv2DTranspose(16, 4, 2, padding="same", use_bias=False)(x))
    x = layers.LeakyReLU(0.2)(x)
    return keras.Model(z, layers.Conv2DTranspose(1, 4, 2, padding="same", activation="tanh")(x))
