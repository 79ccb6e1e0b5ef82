"""Tables of time series whose every value says where it belongs, and a builder that a linear series needs."""

import numpy as np

SHOPS = {"south": 1_000, "north": 2_000}


def counted(path, rows=40, shuffle=True):
    """Write a table of two shops: `sales` counts the days from 1,000 or 2,000, and `price` is its negative."""
    days = np.datetime64("2024-01-30") + np.arange(rows)
    lines = [f"{day},{shop},{-first - n},{first + n}" for shop, first in SHOPS.items() for n, day in enumerate(days)]
    if shuffle:
        lines = np.random.default_rng(0).permutation(lines).tolist()
    path.write_text("\n".join(["day,shop,price,sales", *lines]) + "\n")
    return path


def linear(path, rows=240):
    """Write a series of which `load` follows from the last two rows: 0.5 of itself, and 30 and −20 times the heat.

    Its values lie between some 400 and 900.
    """
    heat = np.random.default_rng(1).uniform(0, 10, rows)
    load = np.full(rows, 700.0)
    for now in range(2, rows):
        load[now] = 300 + 0.5 * load[now - 1] + 30 * heat[now - 1] - 20 * heat[now - 2]
    lines = [f"{n},{a!r},{b!r}" for n, (a, b) in enumerate(zip(heat.tolist(), load.tolist(), strict=True))]
    path.write_text("\n".join(["hour,heat,load", *lines]) + "\n")
    return path


def build(window, features, horizon):
    """A linear model of the last rows of a series."""
    import keras

    layers = [keras.Input((window, features)), keras.layers.Flatten(), keras.layers.Dense(horizon)]
    return keras.Sequential(layers)


def build_flat(inputs, outputs):
    """The same for a row of numbers."""
    import keras

    return keras.Sequential([keras.Input((inputs,)), keras.layers.Dense(outputs)])
