"""Pairs of sentences and whether they belong together, by an encoder of the size of BERT-mini: two inputs."""

from __future__ import annotations  # an annotation must not import Keras

import numpy as np

from ...models.recipe import keras, recipe
from .attention_block import attention_block

_LENGTH, _WORDS, _SAMPLES = 64, 8000, 128


@recipe(
    "real/bert-mini",
    "pairs of sentences of 64 words together, two classes",
    loss="sparse_categorical_crossentropy",
    metrics=("accuracy",),
    learning_rate=1e-4,
    batch_size=16,
)
def model(width: int = 256, blocks: int = 4, dropout: float = 0.1) -> keras.Model:
    layers = keras.layers
    words = keras.Input((_LENGTH,), dtype="int32", name="words")
    sentence = keras.Input((_LENGTH,), dtype="int32", name="sentence")
    place = keras.Input((_LENGTH,), dtype="int32", name="place")
    embeddings = layers.Embedding(_WORDS, width), layers.Embedding(2, width), layers.Embedding(_LENGTH, width)
    x = layers.Add()([embed(tokens) for embed, tokens in zip(embeddings, (words, sentence, place), strict=True)])
    x = layers.Dropout(dropout)(layers.LayerNormalization(epsilon=1e-12)(x))
    for _ in range(blocks):
        x = attention_block(x, heads=4, units=4 * width, dropout=dropout, activation="gelu")
    pooled = layers.Dense(width, activation="tanh")(x[:, 0])
    answers = layers.Dense(2, activation="softmax")(layers.Dropout(dropout)(pooled))
    return keras.Model({"words": words, "sentence": sentence, "place": place}, answers)


def draw(generator: np.random.Generator) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Return (n, 64) int32 words, sentence numbers and places, and (n,) int32 classes: whether first words agree."""
    words = generator.integers(1, _WORDS, (_SAMPLES, _LENGTH))
    places = np.tile(np.arange(_LENGTH), (_SAMPLES, 1))
    pairs = generator.integers(0, 2, _SAMPLES)
    words[pairs == 1, _LENGTH // 2] = words[pairs == 1, 0]
    x = {"words": words, "sentence": (places >= _LENGTH // 2), "place": places}
    return {name: values.astype("int32") for name, values in x.items()}, pairs.astype("int32")
