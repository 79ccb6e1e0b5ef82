"""Waves by recurrent layers: predict the next value of a curve from a window over the last values.

Of windows of a user's series, each row has several features, and a target several values; the data decide how many.
"""

from __future__ import annotations  # an annotation must not import Keras

from collections.abc import Sequence
from typing import Any

from ..functions import require_known
from .recipe import Option, PublishedResult, keras, recipe, step

__all__ = ["lstm", "stateful", "three_lstm", "time_distributed", "two_lstm"]

# Both series are scaled to 0 … 1 by the range of the training split; errors are reported on the wave's own scale.
WAVES: dict[str, Any] = {
    "inputs": (step("min-max"), step("window", length=Option("window"))),
    "targets": (step("min-max"), step("after", length=Option("window"))),
    "loss": "mean_squared_error",
    "batch_size": 1,
    "epochs": 100,
    "validation_split": 0.0,
}


CELLS = LSTM, GRU = "lstm", "gru"


def recurrent(cell: str, units: int, *, returns_sequences: bool = False) -> keras.layers.Layer:
    """Return a recurrent layer of LSTM or GRU cells.

    Raises:
        OptionError: there is no such cell.
    """
    require_known("`cell`", [cell], CELLS)
    layer = keras.layers.GRU if cell == GRU else keras.layers.LSTM
    return layer(units, return_sequences=returns_sequences)


@recipe(
    "rnn/lstm",
    "one small LSTM reads a window of a wave and predicts the next value",
    **WAVES,
    dataset="waves:0",
    parameters=64,
)
def lstm(window: int = 3, units: int = 3, features: int = 1, outputs: int = 1, cell: str = LSTM) -> keras.Model:
    return keras.Sequential([keras.Input((window, features)), recurrent(cell, units), keras.layers.Dense(outputs)])


@recipe(
    "rnn/two-lstm",
    "one LSTM reads the output sequence of another, on a wave that is mirrored where it falls",
    **WAVES,
    dataset="waves:2",
    parameters=148,
    reference=PublishedResult(result="loss a little over 0.02"),
)
def two_lstm(window: int = 5, units: int = 3, features: int = 1, outputs: int = 1, cell: str = LSTM) -> keras.Model:
    return keras.Sequential(
        [
            keras.Input((window, features)),
            recurrent(cell, units, returns_sequences=True),
            recurrent(cell, units),
            keras.layers.Dense(outputs),
        ]
    )


@recipe(
    "rnn/three-lstm",
    "three LSTMs, each smaller than the one before, on a wave that is mirrored where it falls",
    **WAVES,
    dataset="waves:2:2000",
    parameters=904,
    # For 20,000 steps the chapter prints 5 s an epoch in one place, and 28 hours for the run in another.
    reference=PublishedResult(
        result="loss 0.025 / 0.004 / 0.0015 with 200 / 2,000 / 20,000 steps (20,000: 5 s an epoch, and 28 hours in all)"
    ),
)
def three_lstm(
    window: int = 13,
    units: tuple[int, int, int] = (9, 6, 3),
    features: int = 1,
    outputs: int = 1,
    cell: str = LSTM,
) -> keras.Model:
    return keras.Sequential(
        [
            keras.Input((window, features)),
            recurrent(cell, units[0], returns_sequences=True),
            recurrent(cell, units[1], returns_sequences=True),
            recurrent(cell, units[2]),
            keras.layers.Dense(outputs),
        ]
    )


@recipe(
    "rnn/stateful",
    "two LSTMs that remember from one batch to the next, through a whole epoch",
    **WAVES,
    dataset="waves:0",
    shuffle=False,
    parameters=30_651,
)
def stateful(window: int = 3, units: int = 50, batch: int = 1, features: int = 1, outputs: int = 1) -> keras.Model:
    return keras.Sequential(
        [
            keras.Input(batch_shape=(batch, window, features)),
            keras.layers.LSTM(units, stateful=True, return_sequences=True),
            keras.layers.LSTM(units, stateful=True),
            keras.layers.Dense(outputs),
        ]
    )


@recipe(
    "rnn/time-distributed",
    "predicts the next five values at each value of a window",
    **{
        **WAVES,
        "inputs": (step("min-max"), step("window", length=Option("window"), horizon=Option("horizon"))),
        "targets": (step("min-max"), step("ahead", length=Option("window"), horizon=Option("horizon"))),
    },
    dataset="waves:0",
    parameters=121,
)
def time_distributed(
    window: int = 10, units: int = 4, horizon: int = 5, hidden: int | Sequence[int] = ()
) -> keras.Model:
    """Build the model; `hidden` are the units of layers that are applied to each step before the last one."""
    sizes = hidden if isinstance(hidden, Sequence) else [hidden]
    return keras.Sequential(
        [
            keras.Input((window, 1)),
            keras.layers.LSTM(units, return_sequences=True),
            *(keras.layers.TimeDistributed(keras.layers.Dense(size, activation="relu")) for size in sizes),
            keras.layers.TimeDistributed(keras.layers.Dense(horizon)),
        ]
    )
