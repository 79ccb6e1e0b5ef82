"""Grey pictures and a mask for each, by a small U-Net."""

from __future__ import annotations  # an annotation must not import Keras

from typing import Any

import numpy as np

from ...models.recipe import keras, recipe

_SIDE, _SAMPLES = 64, 128


@recipe("real/unet-small", "grey pictures of 64x64, a mask for each", loss="binary_crossentropy", batch_size=16)
def model(filters: tuple[int, ...] = (8, 16, 32)) -> keras.Model:
    layers = keras.layers
    pictures = keras.Input((_SIDE, _SIDE, 1))
    x, skipped = pictures, []
    for count in filters[:-1]:
        x = _convolved_twice(x, count)
        skipped.append(x)
        x = layers.MaxPooling2D(2)(x)
    x = _convolved_twice(x, filters[-1])
    for count, before in zip(filters[-2::-1], reversed(skipped), strict=True):
        x = layers.Conv2DTranspose(count, 2, strides=2)(x)
        x = _convolved_twice(layers.Concatenate()([x, before]), count)
    return keras.Model(pictures, layers.Conv2D(1, 1, activation="sigmoid")(x))


def _convolved_twice(x: Any, filters: int) -> Any:
    for _ in range(2):
        x = keras.layers.Conv2D(filters, 3, padding="same", activation="relu")(x)
    return x


def draw(generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return (n, 64, 64, 1) float32 and (n, 64, 64, 1) float32 of 0 and 1: discs in noise."""
    row, column = np.mgrid[:_SIDE, :_SIDE]
    middle = generator.integers(16, 48, (_SAMPLES, 2, 1, 1))
    masks = ((row - middle[:, 0]) ** 2 + (column - middle[:, 1]) ** 2 < 100)[..., None].astype("float32")
    return (masks + generator.normal(0, 0.3, masks.shape)).astype("float32"), masks
