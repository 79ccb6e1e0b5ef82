"""The residual network of 20 layers that was published with CIFAR-10, on small colour pictures."""

from __future__ import annotations  # an annotation must not import Keras

from typing import Any

import numpy as np

from ...models.recipe import keras, recipe

_SIDE, _CLASSES, _SAMPLES = 32, 10, 256


@recipe(
    "real/resnet20",
    "colour pictures of 32x32, ten classes",
    loss="sparse_categorical_crossentropy",
    metrics=("accuracy",),
    optimizer="sgd",
    learning_rate=0.05,
    batch_size=32,
)
def model(filters: tuple[int, ...] = (16, 32, 64), blocks: int = 3) -> keras.Model:
    layers = keras.layers
    pictures = keras.Input((_SIDE, _SIDE, 3))
    x = layers.ReLU()(_convolved(pictures, filters[0], 1))
    for stage, count in enumerate(filters):
        for block in range(blocks):
            x = _residual(x, count, strides=2 if stage and not block else 1)
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(pictures, layers.Dense(_CLASSES, activation="softmax")(x))


def _residual(x: Any, filters: int, strides: int) -> Any:
    layers = keras.layers
    changed = _convolved(layers.ReLU()(_convolved(x, filters, strides)), filters, 1)
    if x.shape[-1] != filters:
        x = layers.Conv2D(filters, 1, strides=strides, use_bias=False)(x)
    return layers.ReLU()(layers.Add()([x, changed]))


def _convolved(x: Any, filters: int, strides: int) -> Any:
    layers = keras.layers
    return layers.BatchNormalization()(layers.Conv2D(filters, 3, strides, padding="same", use_bias=False)(x))


def draw(generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return (n, 32, 32, 3) float32 and (n,) int32 classes: noise with a brighter row."""
    x, y = generator.normal(size=(_SAMPLES, _SIDE, _SIDE, 3)), generator.integers(0, _CLASSES, _SAMPLES)
    x[np.arange(_SAMPLES), 3 * y] += 1
    return x.astype("float32"), y.astype("int32")
