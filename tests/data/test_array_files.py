"""Arrays in a folder, an archive or a safetensors file are the same dataset, loaded or left in their files."""

import numpy as np
import pytest
from safetensors.numpy import save_file

from trivium.data import datasets
from trivium.data import stored as stored_setting
from trivium.data.deferred_array import DeferredArray
from trivium.errors import DataError

pytestmark = pytest.mark.plain

X = np.random.default_rng(0).normal(size=(30, 4)).astype("float32")
ARRAYS = {"x_train": X, "y_train": np.arange(30) % 3 + 5, "x_test": X[:6], "y_test": np.arange(6) % 3 + 5}


def folder(path, arrays):
    (path / "data").mkdir()
    for name, array in arrays.items():
        np.save(path / "data" / f"{name}.npy", array)
    return path / "data"


def archive(path, arrays):
    np.savez(path / "data.npz", **arrays)
    return path / "data.npz"


def tensors(path, arrays):
    save_file(arrays, path / "data.safetensors")
    return path / "data.safetensors"


@pytest.fixture(params=[folder, archive, tensors])
def kept(request, tmp_path):
    """Return a function that writes arrays in one of the forms, and returns the name."""
    return lambda arrays: request.param(tmp_path, arrays)


def test_small_arrays_are_loaded(kept):
    dataset = datasets.load(kept(ARRAYS))
    np.testing.assert_array_equal(dataset.train.x, X)
    np.testing.assert_array_equal(dataset.test.y, np.arange(6) % 3)
    assert dataset.labels == ("5", "6", "7")


@pytest.mark.parametrize("large", [True, False])
def test_arrays_stay_in_their_files_where_they_are_large_or_are_asked_to(kept, large, monkeypatch):
    if large:
        monkeypatch.setattr(stored_setting, "_LARGE", 400)
    name = kept(ARRAYS)
    dataset = datasets.load(name if large else f"{name}:stored=yes")
    assert isinstance(dataset.train.x, DeferredArray)
    np.testing.assert_array_equal(dataset.train.x[:], X)
    np.testing.assert_array_equal(dataset.train.y, np.arange(30) % 3)  # labels are loaded
    assert dataset.checksum == datasets.load(f"{name}:stored=no").checksum


def test_arrays_by_other_names_stay_in_their_files(kept):
    named = {"numbers_train": X, "words_train": X[:, :2], "kind_train": np.arange(30) % 2, "price_train": X[:, 0]}
    dataset = datasets.load(f"{kept(named)}:stored=yes")
    assert {name: type(array) for name, array in dataset.train.x.items()} == {
        "numbers": DeferredArray,
        "words": DeferredArray,
        "kind": np.ndarray,
        "price": np.ndarray,
    }


def test_a_value_that_is_not_finite_is_found_where_it_is(kept):
    broken = X.copy()
    broken[17, 2] = np.nan
    name = kept({**ARRAYS, "x_train": broken})
    for stored in ("yes", "no"):
        with pytest.raises(DataError, match=r"x_train: 1 of its values are NaN .* at index \(17, 2\)"):
            datasets.load(f"{name}:stored={stored}")


def test_arrays_of_different_lengths_are_refused(kept):
    with pytest.raises(DataError, match="x_train has 30 samples but y_train has 29"):
        datasets.load(f"{kept({**ARRAYS, 'y_train': np.arange(29)})}:stored=yes")


def test_a_compressed_archive_cannot_stay_in_its_file(tmp_path):
    np.savez_compressed(tmp_path / "data.npz", **ARRAYS)
    with pytest.raises(DataError, match=r"is compressed, .*: save it by np\.savez"):
        datasets.load(f"{tmp_path / 'data.npz'}:stored=yes")


def test_stored_is_yes_or_no(kept):
    with pytest.raises(DataError, match="stored=perhaps: expected yes or no"):
        datasets.load(f"{kept(ARRAYS)}:stored=perhaps")


def test_a_missing_array_is_named(kept):
    with pytest.raises(DataError, match="no y_train in it"):
        datasets.load(kept({"x_train": X}))
