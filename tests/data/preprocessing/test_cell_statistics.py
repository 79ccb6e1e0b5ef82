"""The statistics of a table's cells are those of NumPy, whatever the blocks, and the same in memory and in a file."""

import numpy as np
import pytest

from trivium.data import deferred_array
from trivium.data.deferred_array import DeferredArray
from trivium.data.preprocessing.cell_statistics import CellStatistics
from trivium.data.preprocessing.table_columns import TableColumns

pytestmark = pytest.mark.plain


@pytest.fixture
def cells(monkeypatch):
    """Three columns of numbers with a gap, none, and gaps alone, and one of codes."""
    monkeypatch.setattr(deferred_array, "_CHUNK_SIZE", 32 * 7)
    values = np.random.default_rng(0).normal(3, 5, (50, 4))
    values[11, 0], values[:, 2], values[:, 3] = np.nan, np.nan, np.tile([1, -1, np.nan, 4, 0], 10)
    return values


def test_they_are_those_of_numpy(cells):
    statistics = CellStatistics.of(cells, [0, 1, 2], [3])
    np.testing.assert_allclose(statistics.mean, [np.nanmean(cells[:, 0]), cells[:, 1].mean(), 0], rtol=1e-14)
    np.testing.assert_array_equal(statistics.low, [np.nanmin(cells[:, 0]), cells[:, 1].min(), 0])
    np.testing.assert_array_equal(statistics.high, [np.nanmax(cells[:, 0]), cells[:, 1].max(), 0])
    assert statistics.has_gap.tolist() == [True, False, True]
    assert [codes.tolist() for codes in statistics.codes] == [[0, 1, 4]]


@pytest.mark.parametrize("numbers", ["standardise", "min-max", "as-is"])
def test_a_step_is_fitted_alike_in_memory_and_in_a_file(cells, numbers):
    fitted = TableColumns(numbers).fit(cells)
    assert fitted == TableColumns(numbers).fit(DeferredArray(cells))
    filled = np.where(np.isnan(cells), fitted.fill, cells)
    if numbers == "standardise":
        np.testing.assert_allclose(fitted.offset, filled.mean(axis=0), rtol=1e-14)
        np.testing.assert_allclose(fitted.span, np.where(np.ptp(filled, 0) == 0, 1, filled.std(axis=0)), rtol=1e-14)


def test_a_constant_with_a_gap_stays_a_constant():
    step = TableColumns().fit(np.array([[0.1]] * 10 + [[np.nan]] + [[0.1]] * 19))
    assert step.span == (1.0,)
    np.testing.assert_allclose(step(np.array([[0.1]]))[:, 0], 0, atol=1e-7)
