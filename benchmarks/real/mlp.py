"""A table of numbers and two classes: what most people train first."""

from __future__ import annotations  # an annotation must not import Keras

import numpy as np

from ...models.recipe import keras, recipe

_FEATURES, _SAMPLES = 20, 8192


@recipe(
    "real/mlp", "a table of 20 numbers, two classes", loss="binary_crossentropy", metrics=("accuracy",), batch_size=64
)
def model(units: int = 128, dropout: float = 0.2) -> keras.Model:
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((_FEATURES,)),
            layers.Dense(units, activation="relu"),
            layers.BatchNormalization(),
            layers.Dropout(dropout),
            layers.Dense(units // 2, activation="relu"),
            layers.Dropout(dropout),
            layers.Dense(1, activation="sigmoid"),
        ]
    )


def draw(generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return (n, 20) float32 and (n, 1) float32 of 0 and 1."""
    x = generator.normal(size=(_SAMPLES, _FEATURES)).astype("float32")
    return x, (x[:, :1] * x[:, 1:2] + x[:, 2:3] > 0).astype("float32")
