"""A deferred array gives the rows that the array in memory would, prepared, and refuses to be loaded as a whole."""

import numpy as np
import pytest

from trivium.data import deferred_array
from trivium.data.deferred_array import DeferredArray
from trivium.data.nests import deferred, is_deferred, select
from trivium.data.preprocessing import reductions
from trivium.data.preprocessing.feature_scaling import MinMax, Scale, Standardise
from trivium.data.preprocessing.pipeline import Chain, Preprocessing
from trivium.data.preprocessing.transforms import OneHot, Reshape, Window
from trivium.errors import DataError
from trivium.storage import array_file

pytestmark = pytest.mark.plain

VALUES = np.arange(240, dtype="uint8").reshape(40, 3, 2)


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch):
    monkeypatch.setattr(deferred_array, "_CHUNK_SIZE", 40)  # bytes: six rows of VALUES


@pytest.fixture
def array(tmp_path):
    np.save(tmp_path / "x.npy", VALUES)
    return DeferredArray(array_file.open_npy(tmp_path / "x.npy"))


@pytest.mark.parametrize(
    "rows", [slice(3, 9), slice(-4, None), slice(0, 40, 7), np.array([5, -1, 5]), np.arange(40) % 3 == 0]
)
def test_rows_are_those_of_the_array(array, rows):
    np.testing.assert_array_equal(array[rows], VALUES[rows])


@pytest.mark.parametrize("first", [slice(4, 30), np.array([9, 3, 30, 12, 8])])
@pytest.mark.parametrize("second", [slice(1, 4), np.array([2, 0])])
def test_a_selection_of_a_selection_reads_the_same_rows(array, first, second):
    selected = array.select(first).select(second)
    assert selected.shape == VALUES[first][second].shape
    np.testing.assert_array_equal(selected[:], VALUES[first][second])


def test_mapped_rows_have_the_shape_and_dtype_of_the_result(array):
    mapped = array.mapped(lambda rows: rows.reshape(len(rows), 6) / 2)
    assert (mapped.shape, mapped.dtype, mapped.ndim, mapped.nbytes) == ((40, 6), np.dtype("float64"), 2, 40 * 6 * 8)
    np.testing.assert_array_equal(mapped[8:10], VALUES[8:10].reshape(2, 6) / 2)


def test_chunks_are_all_rows_in_order_and_small(array):
    chunks = list(array.chunks())
    assert {len(chunk) for chunk in chunks} == {6, 4}
    np.testing.assert_array_equal(np.concatenate(chunks), VALUES)


def test_it_refuses_to_become_an_array(array):
    for ask in (np.asarray, list, np.mean):
        with pytest.raises(DataError, match=r"shape \(40, 3, 2\) is read from its file .* `stored=no` to load it"):
            ask(array)


def test_a_row_that_is_not_there_is_an_error(array):
    with pytest.raises(IndexError, match="row 40 of 40"):
        array[np.array([40])]


def test_a_nest_is_deferred_by_any_of_its_arrays(array):
    assert is_deferred({"a": VALUES, "b": array})
    assert not is_deferred({"a": VALUES})
    rows = select({"a": VALUES, "b": array}, slice(2, 5))
    assert isinstance(rows["b"], DeferredArray)
    np.testing.assert_array_equal(rows["a"], rows["b"][:])
    np.testing.assert_array_equal(deferred(VALUES)[3:6], VALUES[3:6])


def test_what_is_learned_from_it_is_what_is_learned_from_the_array(array):
    values = VALUES.astype("float32") ** 2
    squares = array.mapped(lambda rows: rows.astype("float32") ** 2)
    for axes in (None, (0, 1)):
        for got, want in zip(reductions.extremes(squares, axes), reductions.extremes(values, axes), strict=True):
            np.testing.assert_array_equal(got, want)
        for got, want in zip(reductions.moments(squares, axes), reductions.moments(values, axes), strict=True):
            np.testing.assert_allclose(got, want, rtol=1e-14)
    np.testing.assert_allclose(reductions.describe(squares), reductions.describe(values), rtol=1e-6)


@pytest.mark.parametrize("step", [Scale(-1.0, 1.0), MinMax(), Standardise(), Standardise(axis=-1)])
def test_a_chain_prepares_the_same_rows(array, step):
    chain = Chain((step, Reshape((6,))))
    got, want = chain.fit(array), chain.fit(VALUES)
    assert isinstance(got(array), DeferredArray)
    np.testing.assert_allclose(got(array)[10:20], want(VALUES)[10:20], rtol=1e-6)
    if not isinstance(step, Standardise):
        assert got == want


def test_labels_are_prepared_with_the_samples_that_are_read(array):
    labels = np.arange(40) % 4
    preparation = Preprocessing(Chain((Scale(),)), Chain((OneHot(),))).fit(array, labels)
    x, y = preparation.pairs(array, labels)
    assert isinstance(x, DeferredArray)
    assert isinstance(y, DeferredArray)
    np.testing.assert_array_equal(y[5:9], np.eye(4, dtype="float32")[labels[5:9]])


def test_a_series_needs_the_memory(array):
    with pytest.raises(DataError, match=r"the step 'window' needs all of the data in memory: load them by `stored=no`"):
        Chain((Window(),)).fit(array)
