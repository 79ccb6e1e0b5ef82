"""Batches: every sample once per epoch, in an order that depends on seed and epoch alone."""

import numpy as np
import pytest

from trivium.data.dataset import Dataset, Split
from trivium.engine.training.trainer import Trainer

SAMPLES = Split(np.arange(10) * 10, np.arange(10))


@pytest.fixture
def batches(backend):
    from trivium.engine.epochs import batches

    return batches


def epoch_of(sequence):
    epoch_batches = [sequence[place] for place in range(len(sequence))]
    sequence.epoch += 1
    return (
        np.concatenate([x for x, _ in epoch_batches]),
        np.concatenate([y for _, y in epoch_batches]),
        [len(x) for x, _ in epoch_batches],
    )


def test_an_epoch_has_every_sample_once_and_a_small_last_batch(batches):
    sequence = batches.TrainingBatches(batches.from_memory(SAMPLES, 4, seed=1, shuffle=True), steps=3)
    first, labels, sizes = epoch_of(sequence)
    second, _, _ = epoch_of(sequence)
    assert sizes == [4, 4, 2]
    np.testing.assert_array_equal(first, labels * 10)
    np.testing.assert_array_equal(np.sort(first), SAMPLES.x)
    np.testing.assert_array_equal(np.sort(second), SAMPLES.x)
    assert not np.array_equal(first, second)


def test_an_epoch_does_not_depend_on_earlier_requests(batches):
    sequence = batches.TrainingBatches(batches.from_memory(SAMPLES, 4, seed=1, shuffle=True), steps=3)
    epochs = [epoch_of(sequence)[0] for _ in range(3)]
    late = batches.TrainingBatches(batches.from_memory(SAMPLES, 4, seed=1, shuffle=True), steps=3)
    late.epoch = 2
    np.testing.assert_array_equal(epoch_of(late)[0], epochs[2])


def test_without_shuffling_the_order_is_that_of_the_data(batches):
    sequence = batches.TrainingBatches(batches.from_memory(SAMPLES, 4, seed=1, shuffle=False), steps=3)
    np.testing.assert_array_equal(epoch_of(sequence)[0], SAMPLES.x)


def test_each_epoch_trains_on_every_sample(backend, digits):
    import keras

    class Losses(keras.callbacks.Callback):
        def __init__(self):
            self.epochs = []

        def on_epoch_end(self, epoch, logs=None):
            self.epochs.append(logs["loss"])

    losses = Losses()
    marked = Dataset("marked", Split(digits.train.x[:64], digits.train.y[:64]), None, digits.labels, "")
    run = Trainer(
        "dense/small", epochs=2, batch_size=32, learning_rate=1e-12, validation_split=0, callbacks=[losses]
    ).fit(marked)
    assert run.history["loss"] == losses.epochs
    # At this rate the weights hardly change, so the mean loss over all samples is the same in every order.
    x, y = run.preprocessing.pairs(marked.train.x, marked.train.y)
    expected = run.model.evaluate(x, y, verbose=0, return_dict=True)["loss"]
    np.testing.assert_allclose(losses.epochs, expected, rtol=1e-5)


def test_generated_data_are_new_in_every_batch_and_the_same_for_the_same_seed(backend):
    draws = []

    def draw(count, key):
        draws.append((count, key))
        generator = np.random.Generator(np.random.Philox(np.random.SeedSequence(key)))
        return Split(generator.integers(0, 256, (count, 28, 28)).astype("uint8"), generator.integers(0, 10, count))

    data = Dataset("noise", draw(96, (0,)), None, tuple("0123456789"), "drawn", draw)
    draws.clear()
    run = Trainer("dense/small", epochs=2, batch_size=32, validation_split=0, seed=7).fit(data)
    again = Trainer("dense/small", epochs=2, batch_size=32, validation_split=0, seed=7, deterministic=True).fit(data)
    # Keras may fetch a batch beforehand, to learn its shape; all of these must have been drawn.
    assert {(32, (7, epoch, place)) for epoch in range(2) for place in range(3)} <= set(draws)
    np.testing.assert_allclose(run.history["loss"], again.history["loss"], rtol=1e-5)
