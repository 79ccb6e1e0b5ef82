"""Nests of arrays, and the sides of named arrays."""

import numpy as np
import pytest

from trivium.data import nests
from trivium.data.assignment import assign, is_assigned
from trivium.data.dataset import Dataset, Split
from trivium.errors import DataError

ONE, TWO = np.arange(3), np.arange(6).reshape(3, 2)

pytestmark = pytest.mark.plain


def test_arrays_come_in_the_order_of_keras():
    assert [array.ndim for array in nests.arrays_of({"b": ONE, "a": TWO})] == [2, 1]
    assert nests.arrays_of(ONE)[0] is ONE
    assert [array.ndim for array in nests.arrays_of((ONE, {"x": TWO}))] == [1, 2]


def test_samples_are_taken_from_every_array():
    taken = nests.take({"a": ONE, "b": (TWO,)}, slice(1, None))
    np.testing.assert_array_equal(taken["a"], [1, 2])
    np.testing.assert_array_equal(taken["b"][0], [[2, 3], [4, 5]])


def test_a_list_of_arrays_is_a_nest_and_a_list_of_numbers_an_array():
    assert nests.is_array(nests.from_user([[1, 2], [3, 4]]))
    assert isinstance(nests.from_user([ONE, TWO]), tuple)
    assert list(nests.from_user({"a": [1, 2], 3: ONE})) == ["a", "3"]


def test_samples_are_counted_once():
    assert nests.sample_count({"a": ONE, "b": TWO}) == 3
    with pytest.raises(DataError, match="between 2 and 3 samples: each needs the same number"):
        nests.sample_count((ONE, TWO[:2]))


def test_arrays_have_the_names_of_their_places():
    named = nests.named_arrays({"b": ONE, "a": (TWO, ONE)}, "x")
    assert list(named) == ["x/a/0", "x/a/1", "x/b"]
    assert list(nests.named_arrays(ONE, "x")) == ["x"]


def unassigned(*names, test=True):
    arrays = {name: np.arange(6) % 2 + place for place, name in enumerate(names)}
    return Dataset("made", Split(arrays, {}), Split(arrays, {}) if test else None, (), "made")


@pytest.mark.parametrize(
    ("names", "x", "y"),
    [
        (("a", "b", "c", "d"), ["a", "b"], ["c", "d"]),
        (("d", "c", "b", "a"), ["a", "b"], ["c", "d"]),
        (("a", "b", "c", "d", "row"), ["a", "b"], ["c", "d"]),
        (("e", "f", "c", "d"), ["e", "f"], ["c", "d"]),
        (("a", "b", "e", "f"), ["a", "b"], ["e", "f"]),
        (("w", "x", "y", "z"), ["w", "x"], ["y", "z"]),
    ],
)
def test_named_arrays_find_their_side(names, x, y):
    assigned = assign(unassigned(*names), ["a", "b"], ["c", "d"])
    assert (list(assigned.train.x), list(assigned.train.y)) == (["a", "b"], ["c", "d"])
    for part in (assigned.train, assigned.test):
        assert [int(array[0]) for array in part.x.values()] == [names.index(name) for name in x]
        np.testing.assert_array_equal(part.y["c"], np.arange(6) % 2)
    lowest = [names.index(name) for name in y]
    assert assigned.labels == {"c": (f"{lowest[0]}", f"{lowest[0] + 1}"), "d": (f"{lowest[1]}", f"{lowest[1] + 1}")}
    assert is_assigned(assigned)
    assert assign(assigned, ["other"], ["names"]) is assigned


def test_a_single_target_is_an_array_with_its_labels():
    assigned = assign(unassigned("a", "b", "c", test=False), ["a", "b"], ["c"])
    assert nests.is_array(assigned.train.y)
    assert assigned.labels == ("2", "3")


@pytest.mark.parametrize("names", [("a", "b", "c"), ("a", "x", "c", "y"), ("a", "b", "c", "e", "f")])
def test_names_that_do_not_say_their_side_are_refused(names):
    with pytest.raises(
        DataError, match=r"made has the arrays .*, but the model has the inputs a, b and the outputs c, d"
    ):
        assign(unassigned(*names), ["a", "b"], ["c", "d"])
