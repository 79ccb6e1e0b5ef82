"""Functions that the tests of portable random numbers run in a worker of each backend."""

import numpy as np

from trivium.backends import runtime
from trivium.backends.same_run.portable_random import portable_draws


def layers_that_draw():
    """Return the outputs of each random Keras layer for the same inputs, three times in a row, by name."""
    runtime.current()
    import keras
    from keras import layers

    pictures = np.random.default_rng(0).uniform(0.1, 1, (5, 8, 8, 3)).astype("float32")
    rows = pictures.reshape(5, 8, 24)
    recurrent = {"kernel_initializer": "ones", "recurrent_initializer": "identity", "dropout": 0.3, "seed": 9}
    cases = {
        "dropout": (layers.Dropout(0.3, seed=1), pictures),
        "dropout of rows": (layers.Dropout(0.5, noise_shape=(None, 1, 24), seed=2), rows),
        "spatial dropout": (layers.SpatialDropout2D(0.5, seed=3), pictures),
        "noise": (layers.GaussianNoise(0.5, seed=4), pictures),
        "multiplied noise": (layers.GaussianDropout(0.3, seed=5), pictures),
        "alpha dropout": (layers.AlphaDropout(0.3, seed=6), pictures),
        "lstm": (layers.LSTM(3, recurrent_dropout=0.3, **recurrent), rows / 24),
        "gru": (layers.GRU(3, recurrent_dropout=0.3, **recurrent), rows / 24),
        "rotation": (layers.RandomRotation(0.2, seed=7), pictures),
        "flip": (layers.RandomFlip(seed=8), pictures),
        "zoom": (layers.RandomZoom(0.3, seed=9), pictures),
        "contrast": (layers.RandomContrast(0.5, seed=10), pictures),
    }
    with portable_draws():
        return {
            name: [keras.ops.convert_to_numpy(layer(inputs, training=True)) for _ in range(3)]
            for name, (layer, inputs) in cases.items()
        }


def training_run():
    """Return losses and final weights of a small model with dropout and noise; its last batch is smaller."""
    runtime.current()
    import keras
    from keras import layers

    keras.utils.set_random_seed(3)
    generator = np.random.default_rng(0)
    x = generator.normal(size=(50, 6)).astype("float32")
    y = x[:, :1] * x[:, 1:2]
    model = keras.Sequential(
        [layers.Input((6,)), layers.GaussianNoise(0.1), layers.Dense(16, "tanh"), layers.Dropout(0.4), layers.Dense(1)]
    )
    model.set_weights([generator.normal(0, 0.5, weights.shape) for weights in model.get_weights()])
    model.compile("adam", "mse")
    with portable_draws():
        history = model.fit(x, y, batch_size=16, epochs=5, shuffle=False, verbose=0)
    return {"losses": history.history["loss"], "weights": model.get_weights()}
