"""Convolutional models between pooling and striding, each one change away from the next.

    pooling       convolve every pixel, activate and drop all of the map, then pool it
    pool first    pool the map at once: activation and dropout work on a quarter of it
    crop          keep a quarter of the map as it is instead of the largest of each four pixels
    striding      compute only so many pixels

So what pooling costs is the sum of three differences: activation and dropout on the larger map, the pooling itself, and
the three quarters of the convolution. (The largest of activated pixels is the activated largest one: the first two
compute the same, dropout aside. A cropped map is of no use for learning: it is there because cropping costs next to
nothing on every backend, where taking every second pixel does not.)
"""

from __future__ import annotations  # an annotation must not import Keras

import math
from collections.abc import Iterator
from typing import Any

from ...models.cnn import CLASSES, DIGITS, image_shape, with_head
from ...models.recipe import Recipe, keras, recipe

POOLING, POOL_FIRST, CROP, STRIDING = "pooling", "pool-first", "crop", "striding"
LADDER = (POOLING, POOL_FIRST, CROP, STRIDING)


@recipe("variants/pair", "cnn/pooling, cnn/striding, and what lies between", **DIGITS)
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


@recipe("variants/blocks", "cnn/blocks-pooling, cnn/blocks-striding, and what lies between", **DIGITS)
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
    """A convolution with its activation and dropout, and what halves a map of that height and width."""
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
