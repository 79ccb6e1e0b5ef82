"""Functions that the tests of initial weights run in a worker of each backend."""

from trivium.backends import runtime
from trivium.backends.same_run.randomness import portable_initial_weights


def initial_weights(seed):
    """Return the initial weights of a model with convolutions, recurrence and attention."""
    runtime.current()
    import keras
    from keras import layers

    with portable_initial_weights(seed):
        inputs = keras.Input((8, 8, 3))
        x = layers.Conv2D(6, 3, kernel_initializer="he_normal")(inputs)
        x = layers.Reshape((6, 36))(layers.BatchNormalization()(x))
        x = layers.GRU(5, return_sequences=True)(layers.Bidirectional(layers.LSTM(4, return_sequences=True))(x))
        x = layers.MultiHeadAttention(2, 3)(x, x)
        model = keras.Model(inputs, layers.Dense(2, kernel_initializer="truncated_normal")(x))
    return model.get_weights()
