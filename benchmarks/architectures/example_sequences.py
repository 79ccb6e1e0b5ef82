"""Models for text, series, tables and graphs, in the style of keras.io's examples."""

from __future__ import annotations

from typing import Any

import keras
from keras import layers, ops

_WORDS, _LENGTH = 60, 20


def text_cnn() -> keras.Model:
    """Text classification from scratch: convolutions over embedded words, of any number."""
    words = keras.Input((None,), dtype="int64")
    x = layers.Dropout(0.5)(layers.Embedding(_WORDS, 16)(words))
    for _ in range(2):
        x = layers.Conv1D(16, 7, padding="same", activation="relu", strides=3)(x)
    x = layers.Dense(16, activation="relu")(layers.GlobalMaxPooling1D()(x))
    return keras.Model(words, layers.Dense(1, activation="sigmoid")(layers.Dropout(0.5)(x)))


def text_transformer() -> keras.Model:
    """Text classification by a transformer block over embedded words and positions."""
    words = keras.Input((_LENGTH,), dtype="int32")
    x = layers.Embedding(_WORDS, 16)(words) + layers.Embedding(_LENGTH, 16)(ops.arange(_LENGTH))
    attended = layers.Dropout(0.1)(layers.MultiHeadAttention(num_heads=2, key_dim=16)(x, x))
    x = layers.LayerNormalization(epsilon=1e-6)(x + attended)
    fed = layers.Dropout(0.1)(layers.Dense(16)(layers.Dense(32, activation="relu")(x)))
    x = layers.GlobalAveragePooling1D()(layers.LayerNormalization(epsilon=1e-6)(x + fed))
    x = layers.Dense(20, activation="relu")(layers.Dropout(0.1)(x))
    return keras.Model(words, layers.Dense(2, activation="softmax")(x))


def bidirectional_lstm() -> keras.Model:
    """Text classification by two bidirectional LSTMs, over any number of words."""
    words = keras.Input((None,), dtype="int32")
    x = layers.Bidirectional(layers.LSTM(8, return_sequences=True))(layers.Embedding(_WORDS, 16)(words))
    return keras.Model(words, layers.Dense(1, activation="sigmoid")(layers.Bidirectional(layers.LSTM(8))(x)))


def translation_gru() -> keras.Model:
    """Sequence to sequence: the decoder starts from the encoder's last state."""
    source, target = keras.Input((_LENGTH, 12)), keras.Input((_LENGTH, 10))
    _, state = layers.GRU(16, return_state=True)(source)
    decoded, _ = layers.GRU(16, return_sequences=True, return_state=True)(target, initial_state=state)
    return keras.Model([source, target], layers.Dense(10, activation="softmax")(decoded))


def wavenet() -> keras.Model:
    """Gated, dilated, causal convolutions with skip connections."""
    sound = keras.Input((64, 1))
    x, skipped = layers.Conv1D(8, 2, padding="causal")(sound), []
    for dilation in (1, 2, 4, 8):
        gate = layers.Conv1D(8, 2, padding="causal", dilation_rate=dilation, activation="sigmoid")(x)
        value = layers.Conv1D(8, 2, padding="causal", dilation_rate=dilation, activation="tanh")(x)
        z = layers.Conv1D(8, 1)(layers.Multiply()([gate, value]))
        x = layers.Add()([x, z])
        skipped.append(z)
    x = layers.Conv1D(8, 1, activation="relu")(layers.Activation("relu")(layers.Add()(skipped)))
    return keras.Model(sound, layers.Conv1D(16, 1, activation="softmax")(x))


def series_transformer() -> keras.Model:
    """Classification of series by transformer encoders of convolutions."""
    series = keras.Input((48, 1))
    x = series
    for _ in range(2):
        attended = layers.MultiHeadAttention(key_dim=8, num_heads=2, dropout=0.25)(x, x)
        x = layers.LayerNormalization(epsilon=1e-6)(layers.Dropout(0.25)(attended)) + x
        fed = layers.Conv1D(4, 1, activation="relu")(x)
        x = layers.LayerNormalization(epsilon=1e-6)(layers.Conv1D(series.shape[-1], 1)(layers.Dropout(0.25)(fed))) + x
    x = layers.GlobalAveragePooling1D(data_format="channels_last")(layers.Dense(4)(x))
    return keras.Model(series, layers.Dense(3, activation="softmax")(layers.Dense(16, activation="relu")(x)))


def wide_and_deep() -> keras.Model:
    """Structured data: numbers and categories, a wide and a deep part."""
    numbers = [keras.Input((1,), name=f"number_{column}") for column in range(4)]
    categories = [keras.Input((1,), dtype="int32", name=f"category_{column}") for column in range(2)]
    codes = [layers.CategoryEncoding(8, output_mode="one_hot")(each) for each in categories]
    wide = layers.BatchNormalization()(layers.concatenate([*numbers, *codes]))
    embedded = [layers.Reshape((4,))(layers.Embedding(8, 4)(each)) for each in categories]
    deep = layers.concatenate([*numbers, *embedded])
    for units in (16, 8):
        deep = layers.Dropout(0.1)(layers.ReLU()(layers.BatchNormalization()(layers.Dense(units)(deep))))
    merged = layers.concatenate([wide, deep])
    return keras.Model([*numbers, *categories], layers.Dense(1, activation="sigmoid")(merged))


def recommender() -> keras.Model:
    """Collaborative filtering: the dot product of two embeddings, and a bias of each."""
    user, movie = keras.Input((1,), dtype="int32"), keras.Input((1,), dtype="int32")

    def embedded(x: Any, width: int) -> Any:
        return layers.Flatten()(layers.Embedding(_WORDS, width)(x))

    match = layers.Dot(axes=1)([embedded(user, 8), embedded(movie, 8)])
    return keras.Model([user, movie], layers.Activation("sigmoid")(match + embedded(user, 1) + embedded(movie, 1)))


def graph_attention() -> keras.Model:
    """Classification of nodes: attention along the edges of a dense adjacency matrix."""
    nodes, adjacency = keras.Input((12, 6)), keras.Input((12, 12))
    x = layers.Dense(8, activation="relu")(nodes)
    for _ in range(2):
        values = layers.Dense(8, use_bias=False)(x)
        by_source, by_target = layers.Dense(1)(values), layers.Dense(1)(values)
        scores = ops.leaky_relu(by_source + ops.transpose(by_target, (0, 2, 1)), negative_slope=0.2)
        weights = ops.softmax(ops.where(adjacency > 0, scores, -1e9), axis=-1)
        x = layers.Add()([x, ops.relu(ops.matmul(weights, values))])
    return keras.Model([nodes, adjacency], layers.Dense(4, activation="softmax")(x))
