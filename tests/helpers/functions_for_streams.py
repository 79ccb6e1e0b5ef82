"""A model and streams of batches for tests, also in other processes. Keras is imported when a function is called."""

import numpy as np

GENERATOR = np.random.default_rng(0)
X = GENERATOR.normal(size=(200, 4)).astype("float32")
Y = (X.sum(1) > 0).astype("int64")
SIZE = 30
STEPS = 7


def build():
    """Build a small classifier."""
    import keras

    hidden = [keras.layers.Dense(8, activation="relu"), keras.layers.Dropout(0.1)]
    return keras.Sequential([keras.Input((4,)), *hidden, keras.layers.Dense(2, activation="softmax")])


def batches():
    """Yield the samples in batches, once."""
    for start in range(0, len(X), SIZE):
        yield X[start : start + SIZE], Y[start : start + SIZE]


def endless():
    """Yield batches without an end, each other than those before."""
    generator = np.random.default_rng(1)
    while True:
        rows = generator.integers(len(X), size=SIZE)
        yield X[rows], Y[rows]


def py_dataset():
    """Return the samples in batches as a PyDataset; each epoch begins with another one."""
    import keras

    class Batches(keras.utils.PyDataset):
        def __init__(self):
            super().__init__()
            self.first = 0

        def __len__(self):
            return STEPS

        def __getitem__(self, place):
            start = (place + self.first) % STEPS * SIZE
            return X[start : start + SIZE], Y[start : start + SIZE]

        def on_epoch_end(self):
            self.first += 1

    return Batches()


def weights_of_a_run():
    """Train on streams of each kind, and return the weights by the name of the stream."""
    import trivium

    runs = {
        "py_dataset": trivium.train(build, py_dataset(), epochs=2),
        "batches": trivium.train(build, batches, epochs=2, steps_per_epoch=STEPS),
        "endless": trivium.train(build, endless, epochs=2, steps_per_epoch=STEPS),
    }
    return {f"{name} {n}": w for name, run in runs.items() for n, w in enumerate(run.model.get_weights())}
