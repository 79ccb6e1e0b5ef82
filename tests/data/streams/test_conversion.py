"""A batch of any framework becomes arrays of NumPy; what is no batch is refused with its place."""

import numpy as np
import pytest

from trivium.data.streams.conversion import split_of, stacked
from trivium.errors import DataError

pytestmark = pytest.mark.plain

X, Y = np.arange(12.0).reshape(4, 3), np.arange(4)


def test_arrays_and_weights_are_taken_as_they_are():
    split = split_of((X, Y, [1, 2, 3, 4]), "batch 1")
    np.testing.assert_array_equal(split.x, X)
    np.testing.assert_array_equal(split.y, Y)
    np.testing.assert_array_equal(split.weight, np.array([1, 2, 3, 4], "float32"))
    assert split.weight.dtype == np.float32


def test_nests_of_inputs_stay_nests():
    split = split_of(((X, X), [[1.0], [2.0], [3.0], [4.0]]), "batch 1")
    assert [part.shape for part in split.x] == [(4, 3), (4, 3)]
    assert split.y.shape == (4, 1)


def test_a_dictionary_leaves_it_open_which_arrays_are_targets():
    split = split_of({"a": X, "b": Y}, "batch 1")
    assert list(split.x) == ["a", "b"]
    assert split.y == {}


@pytest.mark.parametrize(
    ("batch", "message"),
    [
        (X, r"expected \(x, y\), .* received ndarray"),
        ((X,), r"received tuple of 1"),
        ((X, Y[:3]), r"different numbers of samples \(x 4, y 3\)"),
        ((X, Y, [1, 2]), r"\(x 4, y 4, weight 2\)"),
        ((X, np.array(list("abcd"))), r"expected numbers, received dtype <U1"),
        ((np.float64(3), 1), r"expected a batch of samples, received x of shape \(\)"),
        ((X[:0], Y[:0]), r"expected a batch of samples, received x of shape \(0, 3\)"),
    ],
)
def test_what_is_no_batch_is_refused(batch, message):
    with pytest.raises(DataError, match="batch 7 of a loader: .*" + message):
        split_of(batch, "batch 7 of a loader")


def test_samples_are_stacked():
    split = stacked([((X[n], Y[n]), X[n]) for n in range(4)], "batch 1")
    np.testing.assert_array_equal(split.x[0], X)
    np.testing.assert_array_equal(split.x[1], Y)
    np.testing.assert_array_equal(split.y, X)
    named = stacked([{"a": X[n], "b": Y[n]} for n in range(4)], "batch 1")
    np.testing.assert_array_equal(named.x["a"], X)


def test_samples_of_different_shapes_are_refused():
    with pytest.raises(DataError, match="batch 1: its samples differ"):
        stacked([(X[0], 1), (X[0, :2], 1)], "batch 1")
