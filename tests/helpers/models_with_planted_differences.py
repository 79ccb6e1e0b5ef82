"""Four small models in Keras whose settings can be changed: a difference is planted by one change.

Layers have names, so that a test can say where the difference is.
"""

import keras
from keras import layers, ops


def _normalized(x, name, settings):
    return layers.BatchNormalization(
        name=name, epsilon=settings.get("epsilon", 1e-3), momentum=settings.get("momentum", 0.99)
    )(x)


def _activated(x, name, settings):
    kind = settings.get("activation", "gelu")
    if kind == "leaky":
        return layers.LeakyReLU(settings.get("slope", 0.2), name=name)(x)
    if kind == "tanh gelu":
        return ops.gelu(x, approximate=True)
    return layers.Activation(kind, name=name)(x)


def plain_cnn(**settings):
    """Return a stack of convolutions; the settings are of its middle block."""
    inputs = keras.Input((16, 16, 3))
    x = layers.Conv2D(8, 3, padding="same", activation="relu", name="conv1")(inputs)
    if settings.get("padding") == "before":
        x = layers.ZeroPadding2D(1, name="pad2")(x)
        x = layers.Conv2D(12, 3, 2, name="conv2", use_bias=settings.get("bias", True))(x)
    else:
        x = layers.Conv2D(12, 3, 2, padding="same", name="conv2", use_bias=settings.get("bias", True))(x)
    x = _normalized(x, "norm2", settings)
    x = _activated(x, "act2", settings)
    pool = layers.AveragePooling2D if settings.get("pool") == "average" else layers.MaxPooling2D
    x = pool(2, 1, padding="same", name="pool2")(x)
    x = layers.Dropout(settings.get("rate", 0.1), name="drop2")(x)
    x = layers.Conv2D(12, 3, padding="same", dilation_rate=settings.get("dilation", 1), name="conv3")(x)
    x = layers.UpSampling2D(2, interpolation=settings.get("interpolation", "nearest"), name="up3")(x)
    x = layers.Conv2D(6, 1, activation="relu", name="conv4", trainable=settings.get("trainable", True))(x)
    reduced = layers.GlobalMaxPooling2D if settings.get("reduction") == "max" else layers.GlobalAveragePooling2D
    return keras.Model(inputs, layers.Dense(4, name="out")(reduced(name="reduce")(x)))


def residual_cnn(**settings):
    """Return a network of three residual blocks; the settings are of the second."""
    inputs = keras.Input((12, 12, 4))
    x = layers.Conv2D(8, 3, padding="same", name="stem")(inputs)
    for number in (1, 2, 3):
        own = settings if number == 2 else {}
        y = _normalized(x, f"block{number}_norm1", own)
        y = _activated(y, f"block{number}_act1", own)
        stride = 2 if number == 2 else 1
        if own.get("padding") == "before":
            y = layers.ZeroPadding2D(1, name=f"block{number}_pad")(y)
            y = layers.Conv2D(8, 3, stride, name=f"block{number}_conv1", use_bias=own.get("bias", True))(y)
        else:
            y = layers.Conv2D(
                8, 3, stride, padding="same", name=f"block{number}_conv1", use_bias=own.get("bias", True)
            )(y)
        y = layers.Dropout(own.get("rate", 0.2), name=f"block{number}_drop")(y)
        y = layers.Conv2D(
            8,
            3,
            padding="same",
            dilation_rate=own.get("dilation", 1),
            name=f"block{number}_conv2",
            trainable=own.get("trainable", True),
        )(y)
        if stride == 2:
            pool = layers.MaxPooling2D if own.get("pool") == "max" else layers.AveragePooling2D
            x = pool(2, name=f"block{number}_pool")(x)
        x = y if own.get("shortcut") is False else layers.Add(name=f"block{number}_add")([x, y])
    x = layers.UpSampling2D(2, interpolation=settings.get("interpolation", "bilinear"), name="up")(x)
    x = layers.Conv2D(4, 3, padding="same", name="last", activation="relu")(x)
    reduced = layers.GlobalMaxPooling2D if settings.get("reduction") == "max" else layers.GlobalAveragePooling2D
    return keras.Model(inputs, layers.Dense(3, name="out")(reduced(name="reduce")(x)))


def recurrent(**settings):
    """Return an LSTM over a GRU over tokens."""
    tokens = keras.Input((9,), dtype="int32")
    x = layers.Embedding(20, 8, mask_zero=settings.get("mask", False), name="tokens")(tokens)
    x = layers.LayerNormalization(epsilon=settings.get("epsilon", 1e-3), name="norm")(x)
    x = layers.GRU(
        10,
        return_sequences=True,
        go_backwards=settings.get("backwards", False),
        activation=settings.get("activation", "tanh"),
        name="gru",
    )(x)
    x = layers.Dropout(settings.get("rate", 0.3), name="drop")(x)
    x = layers.LSTM(
        10,
        return_sequences=True,
        recurrent_activation=settings.get("recurrent_activation", "sigmoid"),
        name="lstm",
    )(x)
    x = layers.Dense(6, name="dense", use_bias=settings.get("bias", True))(x)
    x = layers.ReLU(negative_slope=settings.get("slope", 0.0), name="relu")(x)
    reduced = layers.GlobalMaxPooling1D if settings.get("reduction") == "max" else layers.GlobalAveragePooling1D
    x = reduced(name="reduce")(x)
    return keras.Model(tokens, layers.Dense(3, name="out", trainable=settings.get("trainable", True))(x))


def transformer(**settings):
    """Return two blocks of attention; the settings are of the second."""
    tokens = keras.Input((7,), dtype="int32")
    x = layers.Embedding(20, 8, mask_zero=settings.get("mask", False), name="tokens")(tokens)
    for number in (1, 2):
        own = settings if number == 2 else {}
        norms = [
            layers.LayerNormalization(epsilon=own.get("epsilon", 1e-5), name=f"block{number}_norm{n}") for n in (1, 2)
        ]
        attention = layers.MultiHeadAttention(2, 4, dropout=own.get("rate", 0.1), name=f"block{number}_attention")
        if own.get("order") == "norm last":
            x = norms[0](x + attention(x, x, use_causal_mask=own.get("causal", False)))
        else:
            y = norms[0](x)
            y = attention(y, y, use_causal_mask=own.get("causal", False))
            x = y if own.get("shortcut") is False else layers.Add(name=f"block{number}_add")([x, y])
        y = layers.Dense(16, name=f"block{number}_up", trainable=own.get("trainable", True))(norms[1](x))
        y = _activated(y, f"block{number}_act", own)
        y = layers.Dense(8, name=f"block{number}_down", use_bias=own.get("bias", True))(y)
        x = layers.Add(name=f"block{number}_sum")([x, y])
    reduced = layers.GlobalMaxPooling1D if settings.get("reduction") == "max" else layers.GlobalAveragePooling1D
    return keras.Model(tokens, layers.Dense(3, name="out")(reduced(name="reduce")(x)))
