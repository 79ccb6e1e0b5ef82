"""Small Keras models and files of them, as a textbook saves them: compiled, trained for a few steps, with names."""

import numpy as np


def points(count=60):
    """(n, 4) values and (n,) classes 0, 1, 2 that follow from them."""
    x = np.random.default_rng(0).normal(size=(count, 4)).astype("float32")
    return x, (x[:, 0] > 0).astype("int64") + (x[:, 1] > 0)


def save_points(path):
    x, y = points()
    np.savez(path, x_train=x[:40], y_train=y[:40], x_test=x[40:], y_test=y[40:])
    return path


def classifier(units=6, classes=3, last="softmax"):
    import keras

    return keras.Sequential(
        [
            keras.Input((4,)),
            keras.layers.Dense(units, activation="relu", name="first"),
            keras.layers.BatchNormalization(name="middle"),
            keras.layers.Dense(classes, activation=last, name="answer"),
        ],
        name="classifier",
    )


def trained(**options):
    """A compiled classifier after two steps of Adam, whose state is not that of a new one."""
    import keras

    keras.utils.set_random_seed(3)
    model = classifier(**options)
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    x, y = points()
    model.fit(x[:40], y[:40], batch_size=20, epochs=1, verbose=0)
    return model


def build_classifier(units=6):
    """A recipe of a user's own."""
    return classifier(units)
