"""Digits by fully connected layers alone, which do not know where in the image a pixel is."""

from __future__ import annotations  # an annotation must not import Keras

from typing import Any

from .recipe import Option, PublishedResult, keras, recipe, step

__all__ = ["dropout", "one_hidden", "small", "two_hidden", "two_small"]

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
    reference=PublishedResult(623_290, "1–2", "val. accuracy 0.9684 after 3 epochs"),
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
    reference=PublishedResult(1_238_730),
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
    reference=PublishedResult(50_890, result="val. accuracy about 0.975"),
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
    reference=PublishedResult(26_506, result="val. accuracy about 0.97"),
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
    reference=PublishedResult(26_506, result="accuracy 0.955 in 10-fold cross-validation"),
)
def dropout(
    layers: int = 2, units: int = 32, dropout: float = 0.2, inputs: int = PIXELS, classes: int = CLASSES
) -> keras.Model:
    model = keras.Sequential([keras.Input((inputs,))])
    for _ in range(layers):
        model.add(keras.layers.Dense(units, activation="relu", kernel_constraint=keras.constraints.MaxNorm(3)))
        model.add(keras.layers.Dropout(dropout))
    model.add(keras.layers.Dense(classes, activation="softmax"))
    return model
