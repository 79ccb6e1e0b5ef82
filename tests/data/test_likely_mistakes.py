"""Probable mistakes in data: missing classes, samples sorted by class, duplicates."""

from dataclasses import replace

import numpy as np
import pytest

from trivium.data.dataset import Dataset, Split
from trivium.data.deferred_array import DeferredArray
from trivium.data.division import Division
from trivium.data.likely_mistakes import likely_mistakes

pytestmark = pytest.mark.plain

X = np.arange(80.0).reshape(40, 2)
SORTED = Dataset("sorted", Split(X, np.repeat([0, 1], 20)), None, ("a", "b"), "made")
MIXED = replace(SORTED, train=Split(X, np.arange(40) % 2))
LAST = Division(slice(0, 30), slice(30, None), remedy="stratified")


def test_samples_sorted_by_class_are_told_once_with_the_remedy():
    cut = "The samples are sorted by class, and the last are held out, so that the validation part lacks a"
    assert likely_mistakes(SORTED, LAST) == [f"{cut}: add `validation` stratified."]
    half = Division(slice(0, 20), slice(20, None))
    assert likely_mistakes(SORTED, half) == [f"{cut}, and the training part lacks b: shuffle them."]
    (sentence,) = likely_mistakes(SORTED)
    assert sentence.startswith("The training samples are sorted by class")


def test_sorted_samples_are_no_mistake_where_the_parts_are_mixed():
    mixed = Division(np.arange(0, 40, 2), np.arange(1, 40, 2))
    assert likely_mistakes(SORTED, mixed) == []
    assert likely_mistakes(SORTED, Division(slice(0, 40), slice(40, None))) == []
    assert likely_mistakes(replace(SORTED, validation=Split(X[:2] + 0.5, np.array([0, 1])))) == []
    assert likely_mistakes(MIXED, LAST) == likely_mistakes(MIXED) == []


def test_one_hot_rows_and_named_targets_are_classes_too():
    rows = replace(SORTED, train=Split(X, np.eye(2)[SORTED.train.y]), labels=())
    assert "the validation part lacks 0: add" in likely_mistakes(rows, LAST)[0]
    named = replace(SORTED, train=Split(X, {"kind": SORTED.train.y, "price": X[:, 0]}), labels={"kind": ("a", "b")})
    assert likely_mistakes(named, LAST) == likely_mistakes(SORTED, LAST)
    values = replace(SORTED, train=Split(X, X), labels=())
    assert likely_mistakes(values, LAST) == []


def test_a_class_that_a_part_lacks_is_named_with_the_consequence():
    y = np.array([*[0, 1] * 15, *[1] * 10])
    held_out = likely_mistakes(replace(SORTED, train=Split(X, y)), LAST)
    assert held_out == [
        "The validation part has no sample of a; they are learned, but not validated: add `validation` stratified."
    ]
    other = replace(SORTED, train=Split(X, y * 2), labels=("a", "b", "c"), test=Split(X[:3] + 0.5, np.array([1, 2, 1])))
    assert likely_mistakes(other) == [
        "The training part has no sample of b; they are evaluated on, but not learned.",
        "The test part has no sample of a; they are learned, but not tested.",
    ]


def test_duplicates_in_any_part_are_counted():
    tested = replace(MIXED, test=Split(X[28:36], MIXED.train.y[28:36]))
    end = "samples are in the training part too, so that the {} metrics are too good: leave them out of one part."
    assert likely_mistakes(tested) == [f"8 of the 8 test {end.format('test')}"]
    assert likely_mistakes(tested, LAST) == [f"2 of the 8 test {end.format('test')}"]
    repeated = replace(MIXED, train=Split(X % 70, MIXED.train.y))  # the last five samples are the first five
    assert likely_mistakes(repeated, LAST) == [f"5 of the 10 validation {end.format('validation')}"]
    assert likely_mistakes(replace(MIXED, test=Split(X[:1], np.array([0])))) == [
        "The test part has no sample of b; they are learned, but not tested."
    ], "a single one is chance"


def test_data_in_files_are_compared_before_a_training_alone():
    stored = replace(MIXED, train=Split(DeferredArray(X), MIXED.train.y), test=Split(X[:8], MIXED.train.y[:8]))
    assert len(likely_mistakes(stored)) == 1
    assert likely_mistakes(stored, LAST) == []
