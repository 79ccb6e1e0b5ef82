"""Models of two inputs and two outputs, and data for them. Keras is imported when a builder is called."""

import numpy as np


def build(units=6):
    """Numbers and words in, a price and a kind out: compiled, with a loss for each."""
    import keras

    model = _model(units)
    losses = {"price": "mse", "kind": "sparse_categorical_crossentropy"}
    model.compile(keras.optimizers.Adam(0.01), loss=losses, metrics={"kind": "accuracy"})
    return model


def uncompiled(units=6):
    """The same, for losses that trivium chooses."""
    return _model(units)


def by_key(units=6):
    """A model whose inputs and outputs are dictionaries."""
    import keras

    numbers, words, price, kind = _tensors(units)
    return keras.Model({"numbers": numbers, "words": words}, {"price": price, "kind": kind})


def _model(units):
    import keras

    numbers, words, price, kind = _tensors(units)
    return keras.Model([numbers, words], [price, kind])


def _tensors(units):
    import keras

    numbers, words = keras.Input((3,), name="numbers"), keras.Input((4,), dtype="int32", name="words")
    embedded = keras.layers.Flatten()(keras.layers.Embedding(10, 2)(words))
    hidden = keras.layers.Dense(units, "tanh")(keras.layers.Concatenate()([numbers, embedded]))
    price, kind = keras.layers.Dense(1, name="price"), keras.layers.Dense(3, "softmax", name="kind")
    return numbers, words, price(hidden), kind(hidden)


def arrays(count, seed=0):
    """Arrays for the models, by name: `words` and `kind` are int64, as NumPy makes them."""
    generator = np.random.default_rng(seed)
    numbers, words = generator.normal(size=(count, 3)).astype("float32"), generator.integers(0, 10, (count, 4))
    price = (numbers.sum(1) + words[:, 0] / 5).astype("float32")
    return {"numbers": numbers, "words": words, "price": price, "kind": words.sum(1) % 3}


def write_npz(path):
    """Write 90 training and 30 test samples as `numbers_train`, …, `kind_test`; return the path."""
    parts = {"train": arrays(90), "test": arrays(30, seed=1)}
    np.savez(path, **{f"{name}_{part}": array for part, named in parts.items() for name, array in named.items()})
    return path
