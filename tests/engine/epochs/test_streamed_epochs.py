"""The batches of a stream are put together in windows of one shape, which end with an epoch and do not wait long."""

import math
import time

import numpy as np
import pytest

pytestmark = pytest.mark.one_environment


def batch(size):
    return np.zeros((size, 3), "float32"), np.zeros(size, "int64")


def groups_of(batches, steps, seconds=math.inf):
    """Return the number of samples of each batch, by windows."""
    from trivium.data.split import Split
    from trivium.engine.epochs.streamed_epochs import _groups_of

    groups = _groups_of((Split(*each) for each in batches), steps, seconds)
    return [[len(split) for split in group] for group in groups]


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
    assert groups_of(map(batch, sizes), steps) == windows


def test_a_window_does_not_wait_long(backend):
    def slow():
        for _ in range(3):
            yield batch(4)
            time.sleep(0.05)

    assert groups_of(slow(), 9, 0.01) == [[4], [4], [4]]


def test_the_last_batch_of_an_epoch_does_not_wait_for_the_next_epoch(backend):
    from trivium.data.split import Split
    from trivium.engine.epochs.streamed_epochs import _groups_of

    given = []

    def counted():
        for number in range(4):
            given.append(number)
            yield Split(*batch(4))

    group = next(_groups_of(counted(), 2, math.inf))
    assert (len(group), given) == (2, [0, 1])


def test_a_window_is_filled_up_with_its_samples(backend):
    from trivium.engine.epochs.streamed_epochs import _Window

    x = np.arange(4.0)[:, None]
    window = _Window.of((x, x[:, 0]), 2, 5)
    assert (window.count, window.batch_size) == (2, 2)
    np.testing.assert_array_equal(window.data[0][:, 0], [0, 1, 2, 3, 0, 1, 2, 3, 0, 1])
    assert window.form == _Window.of((x[:2], x[:2, 0]), 1, 5).form
