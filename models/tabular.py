"""Networks for tables of numbers and words, with a class or a value to predict. They fit themselves to the table."""

from __future__ import annotations  # an annotation must not import Keras

from collections.abc import Sequence
from typing import Any

from .recipe import keras, recipe, step

__all__ = ["embeddings", "mlp"]

# The features of the table `houses`: those of `inputs` where words are one-hot, and where they are numbers.
ONE_HOT, NUMBERED, WORDS = 13, 7, (6, 4)

TABLES: dict[str, Any] = {
    "dataset": "houses",
    "targets": (step("standardise-values"),),
    "batch_size": 32,
    "epochs": 50,
    "validation_split": 0.2,
    "validation": "auto",
}


@recipe(
    "tabular/mlp",
    "a table with numbers scaled and words one-hot, through dense layers",
    inputs=(step("table"),),
    **TABLES,
    parameters=1_934,
)
def mlp(
    inputs: int = ONE_HOT,
    classes: int = 0,
    outputs: int = 1,
    samples: int = 1000,
    layers: int = 1,
    units: int = 128,
    dropout: float = 0.5,
    noise: float = 0.3,
    decay: float = 3.0,
) -> keras.Model:
    features = keras.Input((inputs,))
    blurred = keras.layers.GaussianNoise(noise)(features)
    return keras.Model(features, _dense(blurred, classes, outputs, layers, units, dropout, decay / samples))


@recipe(
    "tabular/embeddings",
    "a table with numbers scaled and an embedding for each column of words, through dense layers",
    inputs=(step("table", words="index"),),
    **TABLES,
    parameters=1_573,
)
def embeddings(
    inputs: int = NUMBERED,
    categories: Sequence[int] = WORDS,
    classes: int = 0,
    outputs: int = 1,
    samples: int = 1000,
    layers: int = 1,
    units: int = 128,
    dropout: float = 0.5,
    noise: float = 0.3,
    decay: float = 3.0,
    width: int = 8,
) -> keras.Model:
    features = keras.Input((inputs,))
    numbers = inputs - len(categories)
    parts = [keras.layers.GaussianNoise(noise)(features[:, :numbers])] if numbers else []
    for place, size in enumerate(categories):
        word = keras.ops.cast(features[:, numbers + place], "int32")
        # As wide as the number of words asks for, at most `width`.
        parts.append(keras.layers.Embedding(size, min(width, (size + 1) // 2))(word))
    joined = keras.layers.Concatenate()(parts) if len(parts) > 1 else parts[0]
    return keras.Model(features, _dense(joined, classes, outputs, layers, units, dropout, decay / samples))


def _dense(values: Any, classes: int, outputs: int, layers: int, units: int, dropout: float, decay: float) -> Any:
    """Return the outputs of dense layers, with a way past them, so that what is linear need not be learned by them.

    Args:
        decay: of the weights, L2. As in scikit-learn's networks it is divided by the number of samples: the more there
            are, the less it counts.
    """
    hidden = values
    for _ in range(layers):
        penalty = keras.regularizers.L2(decay)
        hidden = keras.layers.Dense(units, activation="relu", kernel_regularizer=penalty)(hidden)
        hidden = keras.layers.Dropout(dropout)(hidden)
    joined = keras.layers.Concatenate()([values, hidden])
    if classes:
        return keras.layers.Dense(classes, activation="softmax")(joined)
    return keras.layers.Dense(outputs)(joined)
