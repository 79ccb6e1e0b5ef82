"""Sentences become the numbers of their words: the frequent ones of the training part, in every form that they take."""

import numpy as np
import pytest

from trivium.data.preprocessing.text_words import TextWords
from trivium.data.sources.text import to_text
from trivium.data.tables.text_column import encode_texts
from trivium.errors import DataError

pytestmark = pytest.mark.plain

TRAINING = encode_texts(["Good film, good cast.", "bad film; BAD", "(once) is not enough"])


def test_frequent_words_are_numbered_from_2_in_every_form():
    step = TextWords().fit(TRAINING)
    assert step.names == ("", "�", "bad", "film", "good")
    assert step.length == 4
    assert step(TRAINING).tolist() == [[4, 3, 4, 1], [2, 3, 2, 0], [1, 1, 1, 1]]
    shown = encode_texts(['GOOD "Film" (bad) film? bad', "", "cinéma  good\tFilm:"])
    assert step(shown).tolist() == [[4, 3, 2, 3], [0, 0, 0, 0], [1, 4, 3, 0]]


def test_the_vocabulary_and_the_length_may_be_set():
    step = TextWords(size=1, length=2).fit(TRAINING)
    assert step.names == ("", "�", "bad")
    assert step(TRAINING).tolist() == [[1, 1], [2, 1], [1, 1]]


def test_words_come_back_small_and_without_punctuation():
    step = TextWords().fit(TRAINING)
    assert [to_text(row[row != 0]) for row in step.inverse(step(TRAINING))] == [
        "good film good �",
        "bad film bad",
        "� � � �",
    ]
    np.testing.assert_array_equal(step(step.inverse(step(TRAINING))), step(TRAINING))


def test_sentences_without_a_word_in_common_are_refused():
    with pytest.raises(DataError, match="no word occurs twice"):
        TextWords().fit(encode_texts(["all different words", "nothing shared here"]))


def test_other_arrays_are_refused():
    with pytest.raises(DataError, match="expected sentences as code points"):
        TextWords().fit(TRAINING)(np.zeros((2, 3)))
