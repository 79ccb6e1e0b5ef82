"""Rows are written into a file without a name, in their own order or in another one, and read where they lie."""

from pathlib import Path

import numpy as np
import pytest

from trivium.errors import OutputError
from trivium.storage import scratch_array

pytestmark = pytest.mark.plain

VALUES = np.arange(120.0).reshape(40, 3)


def pieces():
    return (VALUES[start : start + 7] for start in range(0, 40, 7))


@pytest.fixture(autouse=True)
def cache(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "trivium"


@pytest.mark.parametrize("bucket", [1, 24 * 9, 2**20])
def test_rows_lie_in_the_order_that_is_asked_for(bucket, monkeypatch):
    monkeypatch.setattr(scratch_array, "_BUCKET_SIZE", bucket)
    order = np.random.default_rng(0).permutation(40)
    array = scratch_array.scratch_array(Path("t"), (40, 3), pieces(), order)
    np.testing.assert_array_equal(array[0:40], VALUES[order])
    np.testing.assert_array_equal(array[np.array([30, 2])], VALUES[order[[30, 2]]])


def test_the_order_is_that_of_the_rows_by_default_and_no_file_is_left(cache):
    array = scratch_array.scratch_array(Path("t"), (40, 3), pieces())
    np.testing.assert_array_equal(array.read(), VALUES)
    assert list(cache.iterdir()) == []


def test_a_folder_that_cannot_be_written_to_is_an_error(cache):
    cache.write_text("a file")
    with pytest.raises(OutputError, match=r"t: cannot write its rows into .*: set XDG_CACHE_HOME to a folder"):
        scratch_array.scratch_array(Path("t"), (40, 3), pieces())
