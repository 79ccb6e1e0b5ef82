"""Text by recurrent layers: predict the next character, or the next word, from a window over the last forty."""

from __future__ import annotations  # an annotation must not import Keras

from .recipe import Option, PublishedResult, keras, recipe, step

__all__ = ["classes", "letters", "words"]

STRIDE = 3


@recipe(
    "text/letters",
    "two LSTMs predict the next letter of a text",
    dataset="text",
    inputs=(step("letters"), step("window", length=Option("window"), stride=STRIDE, tokens=True)),
    targets=(step("letters"), step("after", length=Option("window"), stride=STRIDE, tokens=True)),
    loss="sparse_categorical_crossentropy",
    optimizer="rmsprop",
    learning_rate=0.01,
    fitted=(("vocabulary", "letters"),),
    batch_size=100,
    epochs=100,
    validation_split=0.0,
    parameters=254_681,
    reference=PublishedResult("1,400", "loss 2.6 → 1.1 in 100 epochs"),
)
def letters(window: int = 40, units: int = 128, vocabulary: int = 89) -> keras.Model:
    return keras.Sequential(
        [
            keras.Input((window,), dtype="int32"),
            keras.layers.CategoryEncoding(vocabulary, output_mode="one_hot"),
            keras.layers.LSTM(units, return_sequences=True),
            keras.layers.LSTM(units),
            keras.layers.Dense(vocabulary, activation="softmax"),
        ]
    )


@recipe(
    "text/words",
    "two small LSTMs predict the next of the 8,000 most frequent words",
    dataset="text",
    inputs=(
        step("words", size=Option("vocabulary")),
        step("window", length=Option("window"), stride=STRIDE, tokens=True),
    ),
    targets=(
        step("words", size=Option("vocabulary")),
        step("after", length=Option("window"), stride=STRIDE, tokens=True),
    ),
    loss="sparse_categorical_crossentropy",
    batch_size=100,
    epochs=10,
    validation_split=0.0,
    parameters=328_832,
    reference=PublishedResult(result="loss 6.8 → 5.3 in 10 epochs"),
)
def words(window: int = 40, units: int = 8, dropout: float = 0.3, vocabulary: int = 8_000) -> keras.Model:
    return keras.Sequential(
        [
            keras.Input((window,), dtype="int32"),
            keras.layers.CategoryEncoding(vocabulary, output_mode="one_hot"),
            keras.layers.LSTM(units, return_sequences=True),
            keras.layers.Dropout(dropout),
            keras.layers.LSTM(units),
            keras.layers.Dropout(dropout),
            keras.layers.Dense(vocabulary, activation="softmax"),
        ]
    )


@recipe(
    "text/classes",
    "an embedding of each word, averaged over a text, tells its class",
    dataset="topics",
    inputs=(step("text"),),
    fitted=(("vocabulary", "text"),),
    batch_size=32,
    epochs=30,
    validation_split=0.2,
    validation="auto",
    parameters=45_827,
)
def classes(
    inputs: int = 84, classes: int = 3, vocabulary: int = 1_429, width: int = 32, dropout: float = 0.5
) -> keras.Model:
    numbers = keras.Input((inputs,), dtype="int32")
    words = keras.layers.Embedding(vocabulary, width)(numbers)
    # Padding is number 0: it does not count in the average.
    counts = keras.ops.cast(keras.ops.expand_dims(keras.ops.not_equal(numbers, 0), -1), "float32")
    total = keras.ops.sum(words * counts, axis=1)
    average = total / keras.ops.maximum(keras.ops.sum(counts, axis=1), 1.0)
    hidden = keras.layers.Dropout(dropout)(average)
    return keras.Model(numbers, keras.layers.Dense(classes, activation="softmax")(hidden))
