"""The picture of misclassified images by label and prediction."""

import numpy as np
import pytest

from trivium.engine.plots.mistake_pairs import mistake_pairs

pytestmark = pytest.mark.plain


@pytest.fixture
def draw(tmp_path):
    """Return a function that draws and returns the numbers of the samples that were shown, and the texts."""
    import re

    def run(expected, predicted, certainty, labels):
        shown = []

        def images(samples):
            shown.extend(samples.tolist())
            return np.zeros((len(samples), 5, 4))

        arrays = (np.array(expected), np.array(predicted), np.array(certainty))
        mistake_pairs(images, *arrays, labels, tmp_path / "pairs.svg", title="of a test")
        return shown, re.findall(r"<!-- (.*?) -->", (tmp_path / "pairs.svg").read_text())

    return run


def test_each_pair_shows_its_most_certain_mistake_and_their_number(draw):
    expected, predicted = [0, 0, 0, 1, 2, 2], [0, 1, 1, 2, 1, 2]
    shown, texts = draw(expected, predicted, [0.9, 0.6, 0.8, 0.5, 0.7, 0.9], ("no", "perhaps", "yes"))
    assert shown == [2, 3, 4], "of the two mistakes of the first pair the more certain one"
    assert [text for text in texts if "×" in text] == ["2×", "1×", "1×"]
    assert "of a test: 4 mistakes in 6, the most certain of each pair" in texts
    assert texts.count("perhaps") == 2, "a row and a column"


def test_of_many_classes_the_most_frequent_pairs_are_listed(draw):
    labels = tuple(f"kind {n}" for n in range(60))
    expected = [*range(60), 7, 7]
    predicted = [*((n + 1) % 60 for n in range(60)), 8, 8]
    shown, texts = draw(expected, predicted, [0.5] * 62, labels)
    assert len(shown) == 40
    assert shown[0] == 7
    assert {"kind 7", "for kind 8", "3×, 50% certain"} <= set(texts)
    assert "of a test: 62 mistakes in 62, the most certain of each pair (40 of 60 pairs)" in texts


def test_no_mistake_is_no_error(draw):
    assert draw([0, 1], [0, 1], [1.0, 1.0], ("a", "b"))[0] == []
    labels = tuple(map(str, range(11)))
    assert draw([0, 1], [0, 1], [1.0, 1.0], labels)[0] == []
