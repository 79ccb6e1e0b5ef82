"""Samples that are in two parts are found by their digests."""

from dataclasses import replace

import numpy as np
import pytest

from trivium.data.dataset import Dataset, Split
from trivium.data.deferred_array import DeferredArray
from trivium.data.duplicates import count_duplicates, sample_digests

pytestmark = pytest.mark.plain


def dataset(train, test):
    splits = (Split(x, np.zeros(len(x))) for x in (train, test))
    return Dataset("d", *splits, (), "made")


@pytest.mark.parametrize("shape", [(3,), (5, 7, 3), ()])
def test_equal_samples_have_equal_digests_in_any_dtype_and_order(generator, shape):
    x = generator.integers(0, 256, (200, *shape)).astype("uint8")
    distinct = len(np.unique(x.reshape(200, -1), axis=0))
    first, second = sample_digests([x, np.asfortranarray(x).astype("float32")])
    assert first.tolist() == second.tolist()
    assert len(np.unique(first)) == distinct


def test_digests_of_several_inputs_depend_on_each(generator):
    x, y = generator.random((2, 50, 4))
    plain, swapped, changed = sample_digests([(x, y), (y, x), (x, y + 1)])
    assert not np.isin(plain, swapped).any()
    assert not np.isin(plain, changed).any()


def test_samples_in_files_are_compared_in_chunks(monkeypatch, generator):
    monkeypatch.setattr("trivium.data.duplicates._CHUNK_SIZE", 100)
    x = generator.random((60, 3))
    both = dataset(DeferredArray(x[:50]), DeferredArray(x[40:]))
    assert count_duplicates(both) == count_duplicates(dataset(x[:50], x[40:])) == 10


def test_what_cannot_be_compared_has_no_duplicates():
    x = np.ones((20, 3))
    assert count_duplicates(dataset(x, np.ones((20, 4)))) == 0
    assert count_duplicates(dataset(x[:, 0], x[:, 0])) == 0, "values of a series recur"
    assert count_duplicates(replace(dataset(x, x), test=None)) == 0
