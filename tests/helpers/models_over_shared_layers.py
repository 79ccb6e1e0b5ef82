"""Two models over shared layers, as docs/losses.md has them: which digit, and is it even?"""

import keras
from keras import layers, ops

import trivium
from trivium.backends.same_run.randomness import portable_initial_weights


def digit_and_even(units=(64, 32)):
    pixels = keras.Input((28, 28), name="pixels")
    shared = layers.Flatten()(layers.Rescaling(1 / 255)(pixels))
    for size in units:
        shared = layers.Dense(size, "relu")(shared)
    which = keras.Model(pixels, layers.Dense(10, "softmax", name="digit")(shared), name="which")
    return which, keras.Model(pixels, layers.Dense(1, "sigmoid", name="even")(shared), name="even")


def in_turn():
    """In each step, one model is trained and then the other."""
    which, even = digit_and_even()

    def digit_loss(networks, batch):
        return ops.mean(keras.losses.sparse_categorical_crossentropy(batch.y["digit"], networks.which(batch.x)))

    def even_loss(networks, batch):
        return ops.mean(keras.losses.binary_crossentropy(batch.y["even"], networks.even(batch.x)))

    return trivium.with_losses(
        keras.Model(which.input, {"digit": which.output, "even": even.output}),
        {"digit": digit_loss, "even": even_loss},
        trains={"digit": "which", "even": "even"},
        which=which,
        even=even,
    )


def train_in_turn(x, digits):
    """Return the losses of two epochs of `in_turn`, and the answers of the model for ten samples."""
    y = {"digit": digits, "even": (digits % 2 == 0).astype("int64")}
    run = trivium.train(in_turn, (x, y), epochs=2, batch_size=32, seed=1, validation_split=0)
    answers = run.model.predict(x[:10], verbose=0)
    return [run.history[name] for name in ("digit", "even")], [answers["digit"], answers["even"]]


def train_by_epochs(x, digits):
    """Train one model for an epoch and then the other; return their losses, and the answers of both at the end."""
    with portable_initial_weights(0):
        which, even = digit_and_even()
    which.compile("adam", "sparse_categorical_crossentropy")
    even.compile("adam", "binary_crossentropy")
    targets = [digits, (digits % 2 == 0).astype("int64")]
    losses = [[], []]
    for epoch in range(3):
        for own, model, y in zip(losses, (which, even), targets, strict=True):
            run = trivium.train(model, (x, y), epochs=1, batch_size=32, seed=epoch, validation_split=0)
            own += run.history["loss"]
    return losses, [model.predict(x[:10], verbose=0) for model in (which, even)]
