"""Builders for the tests of estimators. Keras is imported when a builder is called."""


def classes(inputs, classes, units=8):
    """A small classifier that learns quickly."""
    import keras

    layers = [keras.Input((inputs,)), keras.layers.Dense(units, "tanh"), keras.layers.Dense(classes, "softmax")]
    return keras.Sequential(layers)


def values(inputs, outputs, units=8):
    """A small regressor that learns quickly."""
    import keras

    return keras.Sequential([keras.Input((inputs,)), keras.layers.Dense(units, "tanh"), keras.layers.Dense(outputs)])


def yes_or_no(inputs, from_logits=False):
    """A single output for two classes; compiled here if it returns logits."""
    import keras

    layers = [keras.Input((inputs,)), keras.layers.Dense(1, None if from_logits else "sigmoid")]
    model = keras.Sequential(layers)
    if from_logits:
        model.compile(keras.optimizers.Adam(0.1), keras.losses.BinaryCrossentropy(from_logits=True))
    return model


def normalised(inputs, classes, units=6):
    """A classifier with batch normalisation and dropout."""
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
