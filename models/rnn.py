"""Waves by recurrent layers: the next value of a curve from a window over the last few."""

from __future__ import annotations  # an annotation must not import Keras

from .recipe import Option, Reference, keras, recipe, step

__all__ = ["lstm"]


@recipe(
    "rnn/lstm",
    "one small LSTM reads a window of a wave and tells the next value",
    dataset="waves:0",
    inputs=(step("min-max"), step("window", length=Option("window"))),
    targets=(step("min-max"), step("after", length=Option("window"))),
    loss="mean_squared_error",
    batch_size=1,
    epochs=100,
    validation_split=0.0,
    reference=Reference(64),
)
def lstm(window: int = 3, units: int = 3) -> keras.Model:
    return keras.Sequential([keras.Input((window, 1)), keras.layers.LSTM(units), keras.layers.Dense(1)])
