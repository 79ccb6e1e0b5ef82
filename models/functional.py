"""Models that are not a plain stack of layers, built with Keras' functional API."""

from __future__ import annotations  # an annotation must not import Keras

from .recipe import keras, recipe, step

__all__ = ["autoencoder", "digit_or_not", "shared"]

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
    parameters=1_286_001,
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
    parameters=52_650,
)
def shared(units: tuple[int, int] = (64, 32)) -> keras.Model:
    return shared_pair(units)[0]


def shared_pair(units: tuple[int, int] = (64, 32)) -> tuple[keras.Model, keras.Model]:
    """Return two models over the same hidden layers: a digit classifier, and a model that outputs the features."""
    pixels = keras.Input((PIXELS,), name="pixels")
    hidden = keras.layers.Dense(units[0], activation="relu", name="shared_wide")(pixels)
    features = keras.layers.Dense(units[1], activation="relu", name="shared_narrow")(hidden)
    digit = keras.layers.Dense(CLASSES, activation="softmax", name="digit")(features)
    return keras.Model(pixels, digit, name="which_digit"), keras.Model(pixels, features, name="what_it_sees")


@recipe(
    "functional/autoencoder",
    "a variational autoencoder: digits to two numbers and back, and new digits from numbers",
    dataset="digit-images",
    inputs=(step("scale", low=0.0, high=1.0), step("reshape", shape=(PIXELS,))),
    targets=(step("scale", low=0.0, high=1.0), step("reshape", shape=(PIXELS,))),
    loss="binary_crossentropy",
    batch_size=128,
    epochs=30,
    parameters=404_244,
)
def autoencoder(units: int = 256, codes: int = 2) -> keras.Model:
    """Kingma and Welling, *Auto-Encoding Variational Bayes* (2013), from standard layers only.

    The noise is Gaussian noise added to zeros, so that outside of training the code is the mean. The loss is the
    cross-entropy of the pixels plus the divergence of the codes from a normal distribution (their equation 10), both
    per pixel. The divergence is added to the loss as an activity penalty.
    """
    pixels = keras.Input((PIXELS,), name="pixels")
    hidden = keras.layers.Dense(units, activation="relu", name="encoder")(pixels)
    mean = keras.layers.Dense(codes, name="mean")(hidden)
    log_variance = keras.layers.Dense(codes, name="log_variance")(hidden)
    divergence = 0.5 * (keras.ops.square(mean) + keras.ops.exp(log_variance) - log_variance - 1.0)
    divergence = keras.layers.ActivityRegularization(l1=1 / PIXELS, name="divergence")(divergence)
    noise = keras.layers.GaussianNoise(1.0, name="noise")(keras.ops.zeros_like(mean))
    # A layer is part of the model only if the output depends on it: hence the divergence is added, times 0.
    code = mean + keras.ops.exp(0.5 * log_variance) * noise + 0.0 * divergence
    again = decoder(units, codes)(code)
    return keras.Model(pixels, again, name="autoencoder")


def decoder(units: int, codes: int) -> keras.Model:
    """Return the decoder from codes to pixels, which can be used alone to draw new digits."""
    return keras.Sequential(
        [
            keras.Input((codes,), name="code"),
            keras.layers.Dense(units, activation="relu"),
            keras.layers.Dense(PIXELS, activation="sigmoid"),
        ],
        name="decoder",
    )
