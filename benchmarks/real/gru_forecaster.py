"""Several series at once, and their next values: two recurrent layers over a day of hours."""

from __future__ import annotations  # an annotation must not import Keras

import numpy as np

from ...models.recipe import keras, recipe

_HOURS, _SERIES, _AHEAD, _SAMPLES = 24, 3, 6, 1024


@recipe("real/gru-forecaster", "three series of 24 hours, six hours ahead", loss="mean_squared_error", batch_size=32)
def model(units: int = 32) -> keras.Model:
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((_HOURS, _SERIES)),
            layers.GRU(units, return_sequences=True),
            layers.GRU(units),
            layers.Dense(_AHEAD),
        ]
    )


def draw(generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return (n, 24, 3) float32 and (n, 6) float32: waves with noise."""
    hours = np.arange(_HOURS + _AHEAD) / 4 + generator.uniform(0, 20, (_SAMPLES, 1))
    series = np.stack([np.sin(hours * rate) for rate in (1.0, 0.7, 1.3)], axis=-1)
    series = (series + generator.normal(0, 0.05, series.shape)).astype("float32")
    return series[:, :_HOURS], series[:, _HOURS:, 0]
