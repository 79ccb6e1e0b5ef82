"""A block of an encoder: self-attention and two dense layers, each added to its input and normalised."""

from __future__ import annotations  # an annotation must not import Keras

from typing import Any

from ...models.recipe import keras


def attention_block(x: Any, heads: int, units: int, dropout: float, activation: str = "relu") -> Any:
    """Return (n, length, width) from (n, length, width).

    Args:
        heads: of the attention, each of width / heads.
        units: of the first dense layer.
    """
    layers, width = keras.layers, x.shape[-1]
    attended = layers.MultiHeadAttention(heads, width // heads, dropout=dropout)(x, x)
    x = layers.LayerNormalization(epsilon=1e-6)(layers.Add()([x, layers.Dropout(dropout)(attended)]))
    hidden = layers.Dense(width)(layers.Dense(units, activation=activation)(x))
    return layers.LayerNormalization(epsilon=1e-6)(layers.Add()([x, layers.Dropout(dropout)(hidden)]))
