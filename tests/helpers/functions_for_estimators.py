"""Builders that tests of estimators name; Keras is imported when one is called."""


def classes(inputs, classes, units=8):
    """Small, and quick to learn."""
    import keras

    layers = [keras.Input((inputs,)), keras.layers.Dense(units, "tanh"), keras.layers.Dense(classes, "softmax")]
    return keras.Sequential(layers)


def values(inputs, outputs, units=8):
    """The same for values."""
    import keras

    return keras.Sequential([keras.Input((inputs,)), keras.layers.Dense(units, "tanh"), keras.layers.Dense(outputs)])


def yes_or_no(inputs, from_logits=False):
    """One output for two classes; compiled by itself where it gives logits."""
    import keras

    layers = [keras.Input((inputs,)), keras.layers.Dense(1, None if from_logits else "sigmoid")]
    model = keras.Sequential(layers)
    if from_logits:
        model.compile(keras.optimizers.Adam(0.1), keras.losses.BinaryCrossentropy(from_logits=True))
    return model


def normalised(inputs, classes, units=6):
    """With a layer that keeps moments, and one that drops."""
    import keras

    return keras.Sequential(
        [
            keras.Input((inputs,)),
            keras.layers.Dense(units, "relu", kernel_constraint=keras.constraints.MaxNorm(2)),
            keras.layers.BatchNormalization(),
            keras.layers.Dropout(0.3),
            keras.layers.Dense(classes, "softmax"),
        ]
    )
