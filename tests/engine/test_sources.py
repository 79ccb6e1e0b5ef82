"""Data of one's own, and the small sets: read as they are, split evenly, refused clearly."""

import numpy as np
import pytest
from PIL import Image

from trivium.engine import datasets, survey
from trivium.engine.dataset import Dataset, Split, split_evenly
from trivium.errors import DataError


@pytest.mark.parametrize(
    ("name", "train", "test", "labels"),
    [
        ("iris", (120, 4), (30, 4), ("setosa", "versicolor", "virginica")),
        ("digits", (1437, 8, 8), (360, 8, 8), tuple("0123456789")),
        ("moons:300", (240, 2), (60, 2), ("0", "1")),
        ("circles", (800, 2), (200, 2), ("0", "1")),
        ("blobs", (800, 2), (200, 2), ("0", "1", "2")),
    ],
)
def test_small_sets_by_name(name, train, test, labels):
    data = datasets.load(name)
    assert (data.train.x.shape, data.test.x.shape, data.labels) == (train, test, labels)
    assert data.checksum == datasets.load(name).checksum


@pytest.mark.parametrize("name", ["moons:3", "moons:many", "iris:2", "moons:20:20"])
def test_settings_that_a_set_does_not_take_are_an_error(name):
    with pytest.raises(DataError, match=f"unknown dataset '{name}'"):
        datasets.load(name)


def test_a_shuffled_digit_keeps_its_ink_and_a_digit_stays_as_it_is():
    data, digits = datasets.load("digit-or-not:sample"), datasets.load("mnist:sample")
    assert data.labels == ("no digit", "digit")
    assert data.train.y.mean() == 0.5
    np.testing.assert_array_equal(data.train.x[1::2], digits.train.x[1::2])
    shuffled, whole = data.train.x[::2], digits.train.x[::2]
    np.testing.assert_array_equal(np.sort(shuffled.reshape(2500, -1)), np.sort(whole.reshape(2500, -1)))
    assert (shuffled != whole).any((1, 2)).mean() > 0.99


def table(tmp_path, text):
    (tmp_path / "d.csv").write_text(text)
    return datasets.load(tmp_path / "d.csv")


def test_a_table_with_words_for_classes(tmp_path):
    data = table(tmp_path, "a,b,kind\n" + "".join(f"{i},{-i},{'cat' if i % 2 else 'ant'}\n" for i in range(20)))
    assert (data.labels, len(data.train), len(data.test)) == (("ant", "cat"), 16, 4)
    for split in (data.train, data.test):
        np.testing.assert_array_equal(split.x[:, 0] % 2, split.y)
        np.testing.assert_array_equal(split.x[:, 1], -split.x[:, 0])


def test_the_label_column_is_found_by_its_name(tmp_path):
    data = table(tmp_path, "Label,a\n" + "".join(f"{i % 2},{i}\n" for i in range(10)))
    np.testing.assert_array_equal(data.train.x[:, 0] % 2, data.train.y)
    assert data.labels == ("0", "1")


def test_numbers_with_gaps_are_values_not_classes(tmp_path):
    data = table(tmp_path, "".join(f"{i},{2.5 * i}\n" for i in range(10)))
    assert data.labels == ()
    np.testing.assert_array_equal(data.train.y, 2.5 * data.train.x[:, 0])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1,a\n", "expected at least 5 rows"),
        ("1,2,a\n" * 5 + "1,a\n", "rows have between 2 and 3 columns"),
        ("x,y\n" + "1,a\n" * 5 + "two,a\n", "holds 'two', expected a number"),
        ("1,a\n" * 5 + "inf,a\n", "NaN or infinite"),
    ],
)
def test_a_table_that_cannot_be_is_one_line(tmp_path, text, message):
    with pytest.raises(DataError, match=message):
        table(tmp_path, text)


def draw(folder, name, size=(6, 4), level=0):
    folder.mkdir(exist_ok=True, parents=True)
    Image.new("L", size, level).save(folder / name)


def test_a_folder_of_pictures_by_class(tmp_path):
    for index in range(10):
        draw(tmp_path / "dogs", f"{index}.png", level=200)
        draw(tmp_path / "cats", f"{index}.png", level=10)
    data = datasets.load(tmp_path)
    assert (data.labels, data.train.x.shape, data.test.x.shape) == (("cats", "dogs"), (16, 4, 6), (4, 4, 6))
    np.testing.assert_array_equal(data.train.x[:, 0, 0] == 200, data.train.y == 1)


def test_a_folder_that_cannot_be_is_one_line(tmp_path):
    draw(tmp_path / "cats", "a.png")
    with pytest.raises(DataError, match="expected a folder for each of two classes"):
        datasets.load(tmp_path)
    draw(tmp_path / "dogs", "b.png", size=(5, 5))
    with pytest.raises(DataError, match="bring them to one size"):
        datasets.load(tmp_path)
    (tmp_path / "dogs" / "b.png").write_text("no picture")
    with pytest.raises(DataError, match="not a picture that can be read"):
        datasets.load(tmp_path)


def test_classes_are_equally_frequent_in_both_splits():
    y = np.repeat([0, 1], [80, 20])
    train, test = split_evenly(np.arange(100), y)
    assert (train.y.mean(), test.y.mean()) == (0.2, 0.2)
    assert sorted([*train.x, *test.x]) == list(range(100))


def test_a_survey_counts_what_is_there(tmp_path):
    x = np.array([[0.0, 1], [2, 3], [4, 5]])
    data = Dataset("d", Split(x, np.array([0, 1, 1])), Split(x[1:2], np.array([1])), ("no", "yes"), "here")
    found = survey.survey(data)
    assert found["duplicates"] == 1
    assert found["splits"]["train"] == {
        "samples": 3,
        "shape": [2],
        "dtype": "float64",
        "low": 0.0,
        "high": 5.0,
        "mean": 2.5,
        "classes": {"no": 1, "yes": 2},
    }


@pytest.mark.parametrize("name", ["mnist:sample", "waves:1", "moons", "iris"])
def test_every_kind_of_data_has_a_preview(tmp_path, name):
    survey.preview(datasets.load(name), tmp_path / "p.png")
    picture = np.asarray(Image.open(tmp_path / "p.png").convert("RGB"))
    assert len(np.unique(picture.reshape(-1, 3), axis=0)) > 20
