"""Sentences and their class, by two blocks of attention."""

from __future__ import annotations  # an annotation must not import Keras

import numpy as np

from ...models.recipe import keras, recipe
from .attention_block import attention_block

_LENGTH, _WORDS, _CLASSES, _SAMPLES = 40, 2000, 4, 1024


@recipe(
    "real/small-transformer",
    "sentences of 40 words, four classes",
    loss="sparse_categorical_crossentropy",
    metrics=("accuracy",),
    batch_size=32,
)
def model(width: int = 64, blocks: int = 2, dropout: float = 0.1) -> keras.Model:
    layers = keras.layers
    words = keras.Input((_LENGTH,), dtype="int32")
    x = layers.Embedding(_WORDS, width)(words)
    for _ in range(blocks):
        x = attention_block(x, heads=4, units=2 * width, dropout=dropout)
    x = layers.Dropout(dropout)(layers.GlobalAveragePooling1D()(x))
    return keras.Model(words, layers.Dense(_CLASSES, activation="softmax")(x))


def draw(generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return (n, 40) int32 words and (n,) int32 classes: how many of the words are among the first fifty."""
    words = generator.zipf(1.3, (_SAMPLES, _LENGTH)).clip(max=_WORDS - 1).astype("int32")
    return words, ((words < 50).sum(1) % _CLASSES).astype("int32")
