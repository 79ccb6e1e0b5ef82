"""Models that are no plain stack: built by Keras' functional interface."""

from __future__ import annotations  # an annotation must not import Keras

from .recipe import Reference, keras, recipe, step

__all__ = ["digit_or_not", "shared"]

PIXELS = 28 * 28
CLASSES = 10


@recipe(
    "functional/digit-or-not",
    "is it a digit, or one whose parts were shuffled?",
    dataset="digit-or-not",
    inputs=(step("scale", low=0.0, high=1.0), step("reshape", shape=(PIXELS,))),
    targets=(step("reshape", shape=(1,)),),
    loss="binary_crossentropy",
    metrics=("accuracy",),
    batch_size=256,
    epochs=10,
    reference=Reference(1_286_001),
)
def digit_or_not(units: tuple[int, int] = (1000, 500)) -> keras.Model:
    pixels = keras.Input((PIXELS,), name="pixels")
    hidden = keras.layers.Dense(units[0], activation="relu")(pixels)
    hidden = keras.layers.Dense(units[1], activation="relu")(hidden)
    digit = keras.layers.Dense(1, activation="sigmoid", name="digit")(hidden)
    return keras.Model(pixels, digit, name="digit_or_not")


@recipe(
    "functional/shared",
    "which digit, on layers that a second model shares: training one moves the other",
    dataset="mnist",
    inputs=(step("scale", low=0.0, high=1.0), step("reshape", shape=(PIXELS,))),
    targets=(step("one-hot", classes=CLASSES),),
    loss="categorical_crossentropy",
    metrics=("accuracy",),
    batch_size=256,
    epochs=10,
    reference=Reference(52_650),
)
def shared(units: tuple[int, int] = (64, 32)) -> keras.Model:
    return shared_pair(units)[0]


def shared_pair(units: tuple[int, int] = (64, 32)) -> tuple[keras.Model, keras.Model]:
    """Two models over the same hidden layers: one tells which digit it is, the other what the layers see in it."""
    pixels = keras.Input((PIXELS,), name="pixels")
    hidden = keras.layers.Dense(units[0], activation="relu", name="shared_wide")(pixels)
    features = keras.layers.Dense(units[1], activation="relu", name="shared_narrow")(hidden)
    digit = keras.layers.Dense(CLASSES, activation="softmax", name="digit")(features)
    return keras.Model(pixels, digit, name="which_digit"), keras.Model(pixels, features, name="what_it_sees")
