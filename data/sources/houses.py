"""Houses with their prices: a small table of numbers, words, dates and gaps, drawn anew from a fixed seed."""

from __future__ import annotations

import numpy as np

from ..dataset import Dataset
from ..tables.labelled_table import from_frame

_ROWS = 1_000
_TOWNS = {"Aachen": 0.9, "Bonn": 1.1, "Essen": 0.7, "Köln": 1.3, "Münster": 1.2}
_HEATINGS = {"gas": 0.0, "heat pump": 25.0, "oil": -20.0}


def load(name: str) -> Dataset:
    """Draw 1,000 houses: size in m², rooms, town, heating, day of the sale, balcony; the target is the price in 1000 €.

    The price is 3.2 per m² times a factor of the town, plus what the heating and a balcony are worth, plus 6 a year,
    with a standard deviation of 12. Every tenth size and every eighth heating is missing, at random.
    """
    import polars

    generator = np.random.default_rng(1)
    size = generator.gamma(9, 12, _ROWS).round(1)
    towns, heatings = (generator.choice(list(words), _ROWS) for words in (_TOWNS, _HEATINGS))
    balcony = generator.random(_ROWS) < 0.4
    days = np.datetime64("2019-01-01") + generator.integers(0, 5 * 365, _ROWS)
    years = (days - np.datetime64("2019-01-01")).astype(float) / 365
    factor = np.array([_TOWNS[town] for town in towns])
    extras = np.array([_HEATINGS[heating] for heating in heatings]) + 10 * balcony + 6 * years
    price = 3.2 * size * factor + extras + generator.normal(0, 12, _ROWS)
    lost = {"size": generator.random(_ROWS) < 1 / 10, "heating": generator.random(_ROWS) < 1 / 8}
    frame = polars.DataFrame(
        {
            "size": size,
            "rooms": np.maximum(1, np.rint(size / 28)).astype(int),
            "town": towns,
            "heating": heatings,
            "sold": days.astype("datetime64[ms]"),
            "balcony": balcony,
            "price": price.round(1),
        }
    )
    frame = frame.with_columns(
        polars.when(polars.Series(cells)).then(None).otherwise(polars.col(column)).alias(column)
        for column, cells in lost.items()
    )
    return from_frame(frame, name, "price")
