"""Arrays in memory are a dataset, or are refused in one line that says which array and why."""

import numpy as np
import pytest

from trivium.data.from_arrays import dataset_from_arrays
from trivium.errors import DataError

pytestmark = pytest.mark.plain

X, Y = np.linspace(-1, 1, 12).reshape(6, 2), np.array([0, 1] * 3)


class Tensor:
    """A tensor whose framework refuses to give its numbers."""

    shape = (6, 2)

    def __array__(self, dtype=None, copy=None):
        raise TypeError("Got unsupported ScalarType BFloat16")


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ((X[:0], Y[:0]), r"x of train: there is no sample in it \(shape \(0, 2\)\)"),
        ((np.float32(3), np.float32(1)), r"x of train: there is no sample in it \(shape \(\)\)"),
        ((np.ma.masked_greater(X, 0.5), Y), "3 values of an array are masked: leave their rows out, or fill them"),
        ((X, np.ma.masked_equal(Y, 1)), "3 values of an array are masked"),
        ((Tensor(), Y), "Tensor is no array of numbers: Got unsupported ScalarType BFloat16"),
        (([[1, 2], [3]], Y), "list is no array of numbers: setting an array element with a sequence"),
        ((X.astype(complex), Y), "x of train: expected numbers, received dtype complex128"),
        ((X, Y, np.ones(3)), r"weight of train: expected a weight for each of 6 samples, received shape \(3,\)"),
        ((X, Y, -np.ones(6)), "weight of train: a weight is negative, infinite or NaN"),
        ((X, Y, np.full(6, np.nan)), "weight of train: a weight is negative, infinite or NaN"),
    ],
)
def test_arrays_that_are_no_samples_are_refused(arrays, message):
    with pytest.raises(DataError, match=message):
        dataset_from_arrays(arrays)


def test_an_array_that_masks_nothing_is_taken_as_it_is():
    dataset = dataset_from_arrays((np.ma.masked_greater(X, 5), Y))
    np.testing.assert_array_equal(dataset.train.x, X)
    assert not isinstance(dataset.train.x, np.ma.MaskedArray)
