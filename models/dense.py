"""Digits by fully connected layers alone, which do not know where in the image a pixel is."""

from __future__ import annotations  # an annotation must not import Keras

from collections.abc import Sequence
from typing import Any

from .recipe import Option, PublishedResult, keras, recipe, step

__all__ = ["dropout", "one_hidden", "points", "small", "two_hidden", "two_small"]

PIXELS = 28 * 28
CLASSES = 10

DIGITS: dict[str, Any] = {
    "dataset": "mnist",
    "inputs": (step("scale", low=0.0, high=1.0), step("reshape", shape=(PIXELS,))),
    "targets": (step("one-hot", classes=CLASSES),),
    "loss": "categorical_crossentropy",
    "metrics": ("accuracy",),
    "batch_size": 256,
}


@recipe(
    "dense/one-hidden",
    "one hidden layer as wide as the image",
    **DIGITS,
    epochs=3,
    parameters=623_290,
    reference=PublishedResult("1–2", "val. accuracy 0.9684 after 3 epochs"),
)
def one_hidden(units: int = PIXELS) -> keras.Model:
    return keras.Sequential(
        [
            keras.Input((PIXELS,)),
            keras.layers.Dense(units, activation="relu"),
            keras.layers.Dense(CLASSES, activation="softmax"),
        ]
    )


@recipe(
    "dense/two-hidden",
    "two hidden layers as wide as the image",
    **DIGITS,
    epochs=3,
    parameters=1_238_730,
)
def two_hidden(units: int = PIXELS) -> keras.Model:
    return keras.Sequential(
        [
            keras.Input((PIXELS,)),
            keras.layers.Dense(units, activation="relu"),
            keras.layers.Dense(units, activation="relu"),
            keras.layers.Dense(CLASSES, activation="softmax"),
        ]
    )


@recipe(
    "dense/small",
    "one small hidden layer",
    **DIGITS,
    epochs=20,
    parameters=50_890,
    reference=PublishedResult(result="val. accuracy about 0.975"),
)
def small(units: int = 64) -> keras.Model:
    return keras.Sequential(
        [
            keras.Input((PIXELS,)),
            keras.layers.Dense(units, activation="relu"),
            keras.layers.Dense(CLASSES, activation="softmax"),
        ]
    )


@recipe(
    "dense/two-small",
    "two small hidden layers",
    **DIGITS,
    epochs=20,
    parameters=26_506,
    reference=PublishedResult(result="val. accuracy about 0.97"),
)
def two_small(units: int = 32) -> keras.Model:
    return keras.Sequential(
        [
            keras.Input((PIXELS,)),
            keras.layers.Dense(units, activation="relu"),
            keras.layers.Dense(units, activation="relu"),
            keras.layers.Dense(CLASSES, activation="softmax"),
        ]
    )


@recipe(
    "dense/dropout",
    "small hidden layers, as many as you like, each with dropout",
    **{**DIGITS, "targets": (step("one-hot", classes=Option("classes")),)},
    epochs=20,
    parameters=26_506,
    reference=PublishedResult(result="accuracy 0.955 in 10-fold cross-validation"),
)
def dropout(
    layers: int = 2,
    units: int | Sequence[int] = 32,
    dropout: float | Sequence[float] = 0.2,
    inputs: int = PIXELS,
    classes: int = CLASSES,
) -> keras.Model:
    """Build the model; `units` and `dropout` are for all hidden layers, or for each. At rate 0 there is no dropout."""
    sizes = _for_each(units, layers)
    model = keras.Sequential([keras.Input((inputs,))])
    for size, rate in zip(sizes, _for_each(dropout, len(sizes)), strict=True):
        model.add(keras.layers.Dense(size, activation="relu", kernel_constraint=keras.constraints.MaxNorm(3)))
        if rate:
            model.add(keras.layers.Dropout(rate))
    model.add(keras.layers.Dense(classes, activation="softmax"))
    return model


@recipe(
    "dense/points",
    "a few numbers a sample: points of the plane, flowers, digits of 8×8 pixels; it fits itself to the data",
    dataset="moons",
    inputs=(step("reshape", shape=(-1,)), step("standardise")),
    targets=(step("one-hot", classes=Option("classes")),),
    loss="categorical_crossentropy",
    metrics=("accuracy",),
    batch_size=32,
    epochs=50,
    validation="auto",
    parameters=1_218,
)
def points(units: int | Sequence[int] = 32, layers: int = 2, inputs: int = 2, classes: int = 2) -> keras.Model:
    hidden = [keras.layers.Dense(size, activation="relu") for size in _for_each(units, layers)]
    return keras.Sequential([keras.Input((inputs,)), *hidden, keras.layers.Dense(classes, activation="softmax")])


def _for_each(value: Any, layers: int) -> Sequence[Any]:
    """Return the value of each of so many layers; values for each layer say themselves how many there are."""
    return value if isinstance(value, Sequence) else [value] * layers
