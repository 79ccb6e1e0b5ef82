"""The stratified split is scikit-learn's: the same rows in the same order."""

import numpy as np
import pytest
from sklearn.model_selection import train_test_split

from trivium.data.stratification import stratified_split

pytestmark = pytest.mark.plain


@pytest.mark.parametrize("seed", range(20))
def test_it_is_the_split_of_scikit_learn(seed):
    generator = np.random.default_rng(seed)
    count = int(generator.integers(2, 9))
    classes = generator.choice(
        np.arange(count) * 3 - 4, size=int(generator.integers(60, 400)), p=generator.dirichlet([3] * count)
    )
    classes = np.concatenate([classes, np.repeat(np.unique(classes), 2)])
    tested = int(generator.integers(count, len(classes) - count))
    expected = train_test_split(np.arange(len(classes)), test_size=tested, random_state=seed, stratify=classes)
    for rows, want in zip(stratified_split(classes, tested, seed), expected, strict=True):
        np.testing.assert_array_equal(rows, want)


def test_equal_remainders_are_drawn_by_lot():
    classes = np.repeat(np.arange(4), 5)
    expected = train_test_split(np.arange(20), test_size=6, random_state=3, stratify=classes)
    for rows, want in zip(stratified_split(classes, 6, 3), expected, strict=True):
        np.testing.assert_array_equal(rows, want)
    assert sorted(np.bincount(classes[stratified_split(classes, 6, 3)[1]])) == [1, 1, 2, 2]
