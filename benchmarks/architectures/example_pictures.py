"""Models for pictures, volumes and points, in the style of keras.io's examples."""

from __future__ import annotations

from typing import Any

import keras
from keras import layers, ops

_SIDE, _CLASSES = 32, 10


def xception_style() -> keras.Model:
    """Image classification from scratch: separable convolutions with residual connections."""
    pictures = keras.Input((_SIDE, _SIDE, 3))
    x = layers.Rescaling(1 / 255)(pictures)
    x = layers.Conv2D(16, 3, strides=2, padding="same")(x)
    x = layers.Activation("relu")(layers.BatchNormalization()(x))
    for size in (24, 32):
        before = x
        for _ in range(2):
            x = layers.Activation("relu")(x)
            x = layers.BatchNormalization()(layers.SeparableConv2D(size, 3, padding="same")(x))
        x = layers.MaxPooling2D(3, strides=2, padding="same")(x)
        x = layers.add([x, layers.Conv2D(size, 1, strides=2, padding="same")(before)])
    x = layers.GlobalAveragePooling2D()(layers.Activation("relu")(x))
    return keras.Model(pictures, layers.Dense(1)(layers.Dropout(0.25)(x)))


def u_net() -> keras.Model:
    """Image segmentation in the style of a U-Net: transposed convolutions and upsampling."""
    pictures = keras.Input((_SIDE, _SIDE, 3))
    x = layers.Activation("relu")(layers.BatchNormalization()(layers.Conv2D(8, 3, strides=2, padding="same")(pictures)))
    before = x
    for filters in (12, 16):
        for _ in range(2):
            x = layers.Activation("relu")(x)
            x = layers.BatchNormalization()(layers.SeparableConv2D(filters, 3, padding="same")(x))
        x = layers.MaxPooling2D(3, strides=2, padding="same")(x)
        before = x = layers.add([x, layers.Conv2D(filters, 1, strides=2, padding="same")(before)])
    for filters in (16, 12, 8):
        for _ in range(2):
            x = layers.Activation("relu")(x)
            x = layers.BatchNormalization()(layers.Conv2DTranspose(filters, 3, padding="same")(x))
        x = layers.UpSampling2D(2)(x)
        before = x = layers.add([x, layers.Conv2D(filters, 1, padding="same")(layers.UpSampling2D(2)(before))])
    return keras.Model(pictures, layers.Conv2D(3, 3, activation="softmax", padding="same")(x))


def _patches(pictures: Any, side: int, width: int) -> Any:
    """Cut square patches, and project each."""
    x = ops.image.extract_patches(pictures, side)
    x = ops.reshape(x, (-1, (_SIDE // side) ** 2, side * side * pictures.shape[-1]))
    return layers.Dense(width)(x)


def mlp_mixer() -> keras.Model:
    """Image classification by perceptrons that mix patches and channels."""
    pictures = keras.Input((_SIDE, _SIDE, 3))
    x = _patches(pictures, 8, 16)
    for _ in range(2):
        mixed = layers.Permute((2, 1))(layers.LayerNormalization(epsilon=1e-6)(x))
        mixed = layers.Dense(16)(layers.Activation("gelu")(layers.Dense(16)(mixed)))
        x = x + layers.Permute((2, 1))(mixed)
        hidden = layers.Dense(32, activation="gelu")(layers.LayerNormalization(epsilon=1e-6)(x))
        x = x + layers.Dropout(0.2)(layers.Dense(16)(hidden))
    return keras.Model(pictures, layers.Dense(_CLASSES)(layers.GlobalAveragePooling1D()(x)))


def vision_transformer() -> keras.Model:
    """Image classification by a vision transformer with embedded positions."""
    pictures = keras.Input((_SIDE, _SIDE, 3))
    x = _patches(pictures, 8, 16)
    x = x + layers.Embedding(16, 16)(ops.expand_dims(ops.arange(16), 0))
    for _ in range(2):
        y = layers.LayerNormalization(epsilon=1e-6)(x)
        x = layers.Add()([layers.MultiHeadAttention(2, 8, dropout=0.1)(y, y), x])
        y = layers.LayerNormalization(epsilon=1e-6)(x)
        y = layers.Dense(16, activation=keras.activations.gelu)(layers.Dense(32, activation=keras.activations.gelu)(y))
        x = layers.Add()([layers.Dropout(0.1)(y), x])
    x = layers.Flatten()(layers.LayerNormalization(epsilon=1e-6)(x))
    return keras.Model(pictures, layers.Dense(_CLASSES)(layers.Dense(32, activation="gelu")(layers.Dropout(0.5)(x))))


def conv_mixer() -> keras.Model:
    """Image classification by depthwise and pointwise convolutions."""
    pictures = keras.Input((_SIDE, _SIDE, 3))

    def activated(x: Any) -> Any:
        return layers.BatchNormalization()(layers.Activation("gelu")(x))

    x = activated(layers.Conv2D(16, 2, strides=2)(layers.Rescaling(scale=1.0 / 255)(pictures)))
    for _ in range(2):
        x = layers.Add()([activated(layers.DepthwiseConv2D(5, padding="same")(x)), x])
        x = activated(layers.Conv2D(16, 1)(x))
    return keras.Model(pictures, layers.Dense(_CLASSES, activation="softmax")(layers.GlobalAvgPool2D()(x)))


def autoencoder() -> keras.Model:
    """Convolutional autoencoder for denoising."""
    pictures = keras.Input((28, 28, 1))
    x = pictures
    for _ in range(2):
        x = layers.MaxPooling2D(2, padding="same")(layers.Conv2D(8, 3, activation="relu", padding="same")(x))
    for _ in range(2):
        x = layers.Conv2DTranspose(8, 3, strides=2, activation="relu", padding="same")(x)
    return keras.Model(pictures, layers.Conv2D(1, 3, activation="sigmoid", padding="same")(x))


def variational_encoder() -> keras.Model:
    """The encoder of a variational autoencoder: mean and log variance, two outputs."""
    pictures = keras.Input((28, 28, 1))
    x = layers.Conv2D(8, 3, activation="relu", strides=2, padding="same")(pictures)
    x = layers.Conv2D(16, 3, activation="relu", strides=2, padding="same")(x)
    x = layers.Dense(16, activation="relu")(layers.Flatten()(x))
    return keras.Model(pictures, [layers.Dense(2, name="z_mean")(x), layers.Dense(2, name="z_log_var")(x)])


def variational_decoder() -> keras.Model:
    """The decoder of a variational autoencoder."""
    latent = keras.Input((2,))
    x = layers.Reshape((7, 7, 16))(layers.Dense(7 * 7 * 16, activation="relu")(latent))
    x = layers.Conv2DTranspose(16, 3, activation="relu", strides=2, padding="same")(x)
    x = layers.Conv2DTranspose(8, 3, activation="relu", strides=2, padding="same")(x)
    return keras.Model(latent, layers.Conv2DTranspose(1, 3, activation="sigmoid", padding="same")(x))


def siamese() -> keras.Model:
    """Image similarity: one embedding for two pictures, and the distance of the two."""
    one, other = keras.Input((28, 28, 1)), keras.Input((28, 28, 1))
    embedding = keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            layers.BatchNormalization(),
            layers.Conv2D(4, 5, activation="tanh"),
            layers.AveragePooling2D(2),
            layers.Flatten(),
            layers.BatchNormalization(),
            layers.Dense(10, activation="tanh"),
        ],
        name="embedding",
    )
    squares = ops.sum(ops.square(embedding(one) - embedding(other)), axis=1, keepdims=True)
    distance = ops.sqrt(ops.maximum(squares, keras.backend.epsilon()))
    return keras.Model([one, other], layers.Dense(1, activation="sigmoid")(layers.BatchNormalization()(distance)))


def captcha_reader() -> keras.Model:
    """Optical character recognition: convolutions, then bidirectional LSTMs along the width."""
    pictures = keras.Input((64, 24, 1), name="image")
    x = layers.Conv2D(8, 3, activation="relu", padding="same")(pictures)
    x = layers.Conv2D(12, 3, activation="relu", padding="same")(layers.MaxPooling2D(2)(x))
    x = layers.Reshape((16, 6 * 12))(layers.MaxPooling2D(2)(x))
    x = layers.Dropout(0.2)(layers.Dense(16, activation="relu")(x))
    x = layers.Bidirectional(layers.LSTM(12, return_sequences=True, dropout=0.25))(x)
    x = layers.Bidirectional(layers.LSTM(8, return_sequences=True, dropout=0.25))(x)
    return keras.Model(pictures, layers.Dense(21, activation="softmax")(x))


def super_resolution() -> keras.Model:
    """Super-resolution by a sub-pixel convolution: channels become rows and columns."""
    pictures = keras.Input((16, 16, 1))
    x = layers.Conv2D(16, 5, activation="relu", padding="same")(pictures)
    for filters in (16, 8, 9):
        x = layers.Conv2D(filters, 3, activation="relu", padding="same")(x)
    x = ops.transpose(ops.reshape(x, (-1, 16, 16, 3, 3)), (0, 1, 3, 2, 4))
    return keras.Model(pictures, ops.reshape(x, (-1, 48, 48, 1)))


def volumes_3d() -> keras.Model:
    """3D image classification from scans."""
    volumes = keras.Input((16, 16, 12, 1))
    x = volumes
    for filters in (8, 12):
        x = layers.Conv3D(filters, 3, activation="relu")(x)
        x = layers.BatchNormalization()(layers.MaxPool3D(2)(x))
    x = layers.Dense(16, activation="relu")(layers.GlobalAveragePooling3D()(x))
    return keras.Model(volumes, layers.Dense(1, activation="sigmoid")(layers.Dropout(0.3)(x)))


def point_net() -> keras.Model:
    """Classification of point clouds, with a learned transformation of the points."""
    points = keras.Input((64, 3))

    def convolved(x: Any, filters: int) -> Any:
        return layers.Activation("relu")(layers.BatchNormalization(momentum=0.0)(layers.Conv1D(filters, 1)(x)))

    def transformed(x: Any, width: int) -> Any:
        y = layers.GlobalMaxPooling1D()(convolved(convolved(x, 8), 16))
        y = layers.Activation("relu")(layers.BatchNormalization(momentum=0.0)(layers.Dense(8)(y)))
        return layers.Dot(axes=(2, 1))([x, layers.Reshape((width, width))(layers.Dense(width * width)(y))])

    x = convolved(transformed(points, 3), 8)
    x = layers.GlobalMaxPooling1D()(convolved(transformed(x, 8), 16))
    x = layers.Dropout(0.3)(layers.Dense(16, activation="relu")(x))
    return keras.Model(points, layers.Dense(_CLASSES, activation="softmax")(x))
