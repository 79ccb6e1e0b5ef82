"""Pictures of a dataset are chosen at random, by class, or because they look odd."""

import numpy as np
import pytest

from trivium.cli import data as data_command
from trivium.data import datasets
from trivium.data.dataset import Dataset, Split
from trivium.engine.plots import picture_choice
from trivium.engine.plots.picture_choice import choose
from trivium.errors import DataError

pytestmark = pytest.mark.plain


@pytest.fixture(scope="module")
def sample():
    return datasets.load("mnist:sample")


def drawn(pictures, y=None):
    labels = () if y is None else tuple("abc")
    return Dataset("drawn", Split(pictures, np.zeros(len(pictures)) if y is None else y), None, labels, "drawn")


def test_the_command_knows_all_choices():
    assert data_command._CHOICES == picture_choice.CHOICES


def test_random_samples_have_their_numbers_and_differ_by_the_seed(sample):
    first, again, other = (choose(sample, "random", seed) for seed in (0, 0, 1))
    numbers = first.rows[""]
    assert first == again != other
    assert len(set(numbers)) == 60
    assert first.captions[numbers[0]] == f"{numbers[0]}: {sample.train.y[numbers[0]]}"


def test_each_class_has_ten_examples_in_a_row_of_its_own(sample):
    chosen = choose(sample, "classes")
    assert list(chosen.rows) == [*"0123456789"]
    for name, numbers in chosen.rows.items():
        assert len(set(numbers)) == 10
        assert set(sample.train.y[numbers].tolist()) == {int(name)}
    few = choose(drawn(np.zeros((12, 3, 3), "uint8"), np.array([0, 0, *[2] * 10])), "classes")
    assert {name: len(numbers) for name, numbers in few.rows.items()} == {"a": 2, "c": 10}


@pytest.mark.parametrize("paper", [0, 255])
def test_odd_pictures_come_first(paper):
    pictures = np.full((9, 12, 12), paper, "uint8")
    ink = 255 - paper
    pictures[:, 3:9, 3:9] = ink
    pictures[4, :, 0] = ink
    pictures[7, 1::3, 1::3] = ink
    pictures[7, 3:9, 3:9] = paper
    chosen = {how: choose(drawn(pictures), how) for how in ("border", "noisy")}
    assert [chosen[how].rows[""][0] for how in ("border", "noisy")] == [4, 7]
    assert chosen["border"].captions[4] == "4"


def test_a_choice_among_what_has_no_pictures_or_classes_is_refused():
    with pytest.raises(DataError, match="iris has no pictures to choose from"):
        choose(datasets.load("iris"), "random")
    with pytest.raises(DataError, match="drawn has no classes"):
        choose(drawn(np.zeros((4, 3, 3))), "classes")
