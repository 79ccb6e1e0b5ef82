"""Convolutional models between pooling and striding, each differing from the next by one change.

    pooling       convolve every pixel, apply activation and dropout to the whole map, then pool it
    pool first    pool the map first: activation and dropout work on a quarter of it
    crop          keep one quarter of the map instead of the maximum of every four pixels
    striding      compute only a quarter of the pixels

So the cost of pooling is the sum of three differences: activation and dropout on the larger map, the pooling itself,
and three quarters of the convolution. (The activation is monotonic, so the first two compute the same, dropout aside. A
cropped map is of no use for learning; it is measured because cropping costs next to nothing on every backend, while
taking every second pixel does not.)
"""

from __future__ import annotations  # an annotation must not import Keras

import math
from collections.abc import Iterator
from typing import Any

from ...models.cnn import CLASSES, DIGITS, image_shape, with_head
from ...models.recipe import Recipe, keras, recipe

POOLING, POOL_FIRST, CROP, STRIDING = "pooling", "pool-first", "crop", "striding"
LADDER = (POOLING, POOL_FIRST, CROP, STRIDING)


@recipe("variants/pair", "cnn/pooling, cnn/striding, and the variants between", **DIGITS)
def pair(way: str = POOLING, filters: tuple[int, int] = (30, 16), dropout: float = 0.2, size: int = 28) -> keras.Model:
    model = keras.Sequential([keras.Input(image_shape(size, size))])
    for count, window in zip(filters, (5, 3), strict=True):
        constraint = keras.constraints.MaxNorm(3)
        for layer in _halving(way, size, dropout, count, window, kernel_constraint=constraint):
            model.add(layer)
        size = math.ceil(size / 2)
    model.add(keras.layers.Flatten())
    model.add(keras.layers.Dense(128, activation="relu"))
    model.add(keras.layers.Dense(64, activation="relu"))
    model.add(keras.layers.Dense(CLASSES, activation="softmax"))
    return model


@recipe("variants/blocks", "cnn/blocks-pooling, cnn/blocks-striding, and the variants between", **DIGITS)
def blocks(way: str = POOLING, filters: tuple[int, ...] = (32, 16, 8), size: int = 28) -> keras.Model:
    model = keras.Sequential([keras.Input(image_shape(size, size))])
    for count in filters:
        model.add(keras.layers.Conv2D(count, 5, padding="same", activation="relu"))
        for layer in _halving(way, size, 0.0, count, 3):
            model.add(layer)
        size = math.ceil(size / 2)
    return with_head(model)


BOOK: dict[str, Recipe] = {found.name: found for found in (pair, blocks)}


def _halving(
    way: str, size: int, dropout: float, filters: int, window: int, **settings: Any
) -> Iterator[keras.layers.Layer]:
    """Yield a convolution with activation and dropout, and the layer that halves a map of this height and width."""
    strides = 2 if way == STRIDING else 1
    yield keras.layers.Conv2D(filters, window, strides=strides, padding="same", **settings)
    if way == POOL_FIRST:
        yield keras.layers.MaxPooling2D(2, padding="same")
    elif way == CROP:
        yield keras.layers.Cropping2D(((0, size // 2), (0, size // 2)))
    yield keras.layers.Activation("relu")
    if dropout:
        yield keras.layers.Dropout(dropout)
    if way == POOLING:
        yield keras.layers.MaxPooling2D(2, padding="same")
