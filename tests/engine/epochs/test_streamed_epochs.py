"""The batches of a stream are put together in windows of one shape, which end with an epoch and do not wait long."""

import time

import numpy as np
import pytest

pytestmark = pytest.mark.one_environment


def batch(size):
    return np.zeros((size, 3), "float32"), np.zeros(size, "int64")


def windows_of(batches, steps, **settings):
    from trivium.engine.epochs.streamed_epochs import _windows_of

    return [[window.batch_size] * window.count for window in _windows_of(iter(batches), steps, **settings)]


@pytest.mark.parametrize(
    ("sizes", "steps", "windows"),
    [
        ([4, 4, 4, 4], 4, [[4, 4, 4, 4]]),
        ([4, 4, 4, 4], 2, [[4, 4], [4, 4]]),  # not beyond an epoch
        ([4, 4, 1, 4], 9, [[4, 4], [1], [4]]),  # of one shape
        ([4] * 130, 200, [[4] * 64, [4] * 64, [4] * 2]),  # not too many
        ([], 3, []),
    ],
)
def test_windows_have_one_shape_and_end_with_an_epoch(backend, sizes, steps, windows):
    assert windows_of(map(batch, sizes), steps, is_filled=False) == windows


def test_a_window_does_not_wait_long(backend, monkeypatch):
    from trivium.engine.epochs import streamed_epochs

    monkeypatch.setattr(streamed_epochs, "_SECONDS", 0.01)

    def slow():
        for _ in range(3):
            yield batch(4)
            time.sleep(0.05)

    assert windows_of(slow(), 9) == [[4], [4], [4]]


def test_the_last_batch_of_an_epoch_does_not_wait_for_the_next_epoch(backend):
    from trivium.engine.epochs.streamed_epochs import _windows_of

    given = []

    def counted():
        for number in range(4):
            given.append(number)
            yield batch(4)

    window = next(_windows_of(counted(), 2, is_filled=False))
    assert (window.count, given) == (2, [0, 1])


def test_a_window_is_filled_with_its_first_batch(backend, monkeypatch):
    from trivium.engine.epochs import streamed_epochs

    monkeypatch.setattr(streamed_epochs, "_MOST_BATCHES", 4)
    first, second = (np.ones((2, 1)), np.ones(2)), (np.zeros((2, 1)), np.zeros(2))
    window = streamed_epochs._Window.of([first, second], is_filled=True)
    assert (window.count, window.batch_size) == (2, 2)
    x, y = window.data
    assert x[:, 0].tolist() == y.tolist() == [1, 1, 0, 0, 1, 1, 1, 1]
