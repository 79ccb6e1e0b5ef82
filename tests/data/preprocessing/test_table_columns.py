"""The columns of a table become features: scaled, flagged, one-hot or numbered; new words are unknown."""

import numpy as np
import pytest

from trivium.data.columns import DATE, UNKNOWN, WORDS, Column
from trivium.data.preprocessing.table_columns import TableColumns
from trivium.errors import DataError

pytestmark = pytest.mark.one_environment

GAP = np.nan
COLUMNS = (Column("age"), Column("town", WORDS, ("Aachen", "Bonn", "Köln")), Column("built", DATE))
# The training part has no Aachen (0), and a gap in age and in town.
TRAINING = np.array([[1.0, 1, 10], [GAP, 2, 20], [3.0, GAP, 30], [8.0, 2, 40]])


def test_numbers_are_standardised_gaps_flagged_and_words_one_hot():
    step = TableColumns(columns=COLUMNS).fit(TRAINING)
    std = np.std([1, 4, 3, 8])  # the mean of 1, 3 and 8 fills the gap
    built = np.array([-1.5, -0.5, 0.5, 1.5]) / np.std([0, 1, 2, 3])
    expected = [
        [(1 - 4) / std, built[0], 0, 1, 0],
        [0, built[1], 1, 0, 1],
        [(3 - 4) / std, built[2], 0, 0, 0],
        [(8 - 4) / std, built[3], 0, 0, 1],
    ]
    np.testing.assert_allclose(step(TRAINING), expected, atol=1e-6)
    assert step(TRAINING).dtype == np.float32


def test_min_max_and_words_as_numbers_for_an_embedding():
    step = TableColumns("min-max", "index", COLUMNS).fit(TRAINING)
    expected = [[0, 0, 0, 1], [3 / 7, 1 / 3, 1, 2], [2 / 7, 2 / 3, 0, 0], [1, 1, 0, 2]]
    np.testing.assert_allclose(step(TRAINING), expected, atol=1e-6)
    assert step.categories == (3,)


@pytest.mark.parametrize("code", [0, UNKNOWN, GAP])
def test_a_word_that_the_training_part_lacks_is_unknown(code):
    row = np.array([[4.0, code, 25]])
    one_hot, index = (TableColumns(words=words, columns=COLUMNS).fit(TRAINING) for words in ("one-hot", "index"))
    np.testing.assert_allclose(one_hot(row), [[0, 0, 0, 0, 0]], atol=1e-6)
    np.testing.assert_allclose(index(row), [[0, 0, 0, 0]], atol=1e-6)


def test_a_gap_where_the_training_part_has_none_is_filled_with_the_mean():
    step = TableColumns(columns=COLUMNS).fit(TRAINING)
    np.testing.assert_allclose(step(np.array([[4.0, 1, GAP]])), [[0, 0, 0, 1, 0]], atol=1e-6)


@pytest.mark.parametrize("words", ["one-hot", "index"])
def test_cells_come_back(words):
    step = TableColumns(words=words, columns=COLUMNS).fit(TRAINING)
    np.testing.assert_allclose(step.inverse(step(TRAINING)), TRAINING, rtol=1e-6)


def test_constant_columns_and_empty_ones_become_0():
    cells = np.array([[7.0, GAP], [7.0, GAP]])
    step = TableColumns(columns=(Column("same"), Column("empty"))).fit(cells)
    np.testing.assert_array_equal(step(cells), [[0, 0, 1], [0, 0, 1]])


def test_plain_rows_of_numbers_need_no_columns():
    step = TableColumns().fit(np.arange(6.0).reshape(3, 2))
    assert [column.name for column in step.columns] == ["column 1", "column 2"]
    assert step(np.array([[2.0, 3.0]])).tolist() == [[0, 0]]


def test_what_was_done_is_said_by_the_names_of_the_columns():
    assert TableColumns(columns=COLUMNS).fit(TRAINING).describe() == [
        "Numbers are standardised: age, built.",
        "Words become one-hot features: town.",
        "Gaps are filled with the mean, and flagged by a feature: age.",
    ]


def test_rows_of_another_form_are_refused():
    step = TableColumns(columns=COLUMNS).fit(TRAINING)
    with pytest.raises(DataError, match=r"expected rows of 3 cells \(age, town, built\), received shape \(4, 2\)"):
        step(TRAINING[:, :2])
    with pytest.raises(DataError, match="numbers are standardise, min-max or as-is, and words one-hot or index"):
        TableColumns(numbers="log")


WORDS_ALONE = (Column("town", WORDS, ("Bonn", "Köln")), Column("street", WORDS, ("A", "B")))


@pytest.mark.parametrize("words", ["one-hot", "index"])
@pytest.mark.parametrize(
    "cells", [[[0, 1], [1, GAP], [GAP, 0]], [[0, GAP], [1, GAP], [GAP, GAP]]], ids=["words", "a column of gaps"]
)
def test_the_layers_of_words_alone_compute_the_same(backend, words, cells):
    import keras

    step = TableColumns(words=words, columns=WORDS_ALONE).fit(np.array(cells, "float64"))
    (layer,) = step.layers((2,))
    raw = np.array([*cells, [UNKNOWN, 1]], "float32")
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(layer(raw)), step(raw.astype("float64")))
