"""A table of paths and labels becomes a dataset of pictures."""

import numpy as np
import polars as pl
import pytest
from PIL import Image

from trivium.data import datasets
from trivium.data.dataset import PICTURES
from trivium.data.pictures.picture_size import PictureSize
from trivium.data.pictures.table import is_picture_table
from trivium.errors import DataError

pytestmark = pytest.mark.plain


@pytest.fixture
def folder(tmp_path):
    """A folder of ten grey pictures of different sizes, each filled with ten times its number."""
    (tmp_path / "photos").mkdir()
    for number in range(10):
        Image.fromarray(np.full((4 + number, 5), 10 * number, "uint8")).save(tmp_path / "photos" / f"{number}.png")
    return tmp_path


def write(folder, header="path,label", row="photos/{n}.png,{word}", name="labels.csv"):
    words = ["cat", "dog"]
    rows = [row.format(n=n, word=words[n % 2], two=n % 2, price=n + 0.5) for n in range(10)]
    (folder / name).write_text("\n".join([header, *rows]) + "\n")
    return folder / name


@pytest.mark.parametrize("column", ["path", "file", "filename", "image", "File"])
def test_words_are_classes(folder, column):
    dataset = datasets.load(f"{write(folder, f'{column},label')}:size=4x5")
    assert dataset.labels == ("cat", "dog")
    assert dataset.kind == PICTURES
    assert dataset.picture_size == PictureSize(4, 5)
    assert (dataset.train.x.shape, dataset.test.x.shape) == ((8, 4, 5), (2, 4, 5))
    for split in (dataset.train, dataset.test):
        np.testing.assert_array_equal(split.x[:, 0, 0] // 10 % 2, split.y)


def test_columns_may_be_in_any_order_and_separated_by_tabs(folder):
    table = write(folder, "label\tImage", "{word}\tphotos/{n}.png", "labels.tsv")
    assert datasets.load(f"{table}:size=4").labels == ("cat", "dog")


def test_integers_are_classes_and_other_numbers_are_values(folder):
    assert datasets.load(f"{write(folder, row='photos/{n}.png,{two}')}:size=4").labels == ("0", "1")
    dataset = datasets.load(f"{write(folder, row='photos/{n}.png,{price}')}:size=4:test_share=0.4")
    assert dataset.labels == ()
    assert (len(dataset.train), len(dataset.test)) == (6, 4)
    np.testing.assert_array_equal(dataset.train.x[:, 0, 0] / 10 + 0.5, dataset.train.y)


def test_a_task_decides_what_integers_are(folder):
    table = write(folder, row="photos/{n}.png,{two}")
    assert "`task` regression takes them as values" in datasets.load(f"{table}:size=4").notes[0]
    values = datasets.load(f"{table}:size=4:task=regression")
    assert (values.labels, values.train.y.dtype, values.notes) == ((), "float64", ())
    assert datasets.load(f"{table}:size=4:task=classification").labels == ("0", "1")


def test_a_typed_table_names_pictures_too(folder):
    frame = pl.DataFrame({"path": [f"photos/{n}.png" for n in range(10)], "label": [n % 3 / 2 for n in range(10)]})
    frame.write_parquet(folder / "labels.parquet")
    dataset = datasets.load(f"{folder / 'labels.parquet'}:size=4")
    np.testing.assert_array_equal(dataset.train.x[:, 0, 0] // 10 % 3 / 2, dataset.train.y)


def test_the_target_is_named_where_there_are_several_columns(folder):
    table = write(folder, "file,price,kind", "photos/{n}.png,{price},{word}")
    assert datasets.load(f"{table}:size=4:target=kind").labels == ("cat", "dog")
    assert datasets.load(f"{table}:size=4:target=price").labels == ()
    with pytest.raises(DataError, match=r"expected a column label, .* received price, kind: name one by `target`"):
        datasets.load(f"{table}:size=4")
    with pytest.raises(DataError, match=r"has no column 'kinds' \(it has: price, kind\); did you mean 'kind'"):
        datasets.load(f"{table}:size=4:target=kinds")


def test_paths_may_be_absolute(folder):
    table = write(folder, row=f"{folder}/photos/{{n}}.png,{{word}}")
    assert len(datasets.load(f"{table}:size=4").train) == 8


def test_a_missing_file_and_an_empty_cell_are_refused(folder):
    table = write(folder)
    (folder / "photos" / "3.png").unlink()
    with pytest.raises(DataError, match=r"1 of 10 pictures cannot be read: photos/3.png .*no such file"):
        datasets.load(f"{table}:size=4")
    assert "photos/3.png" in datasets.load(f"{table}:size=4:skip_broken=yes").notes[0]
    table.write_text(table.read_text().replace("photos/2.png,cat", "photos/2.png,"))
    with pytest.raises(DataError, match="row 3 has no label: give it one, or leave the row out"):
        datasets.load(f"{table}:size=4:skip_broken=yes")


def test_mixed_sizes_need_a_size(folder):
    with pytest.raises(DataError, match="bring them to one size, such as `size`"):
        datasets.load(write(folder))


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ({"path": ["a.png", "b.JPG"], "label": ["x", "y"]}, True),
        ({"image": ["a.jpeg", None], "label": ["x", "y"]}, True),
        ({"path": ["a.png", "b.txt"], "label": ["x", "y"]}, False),
        ({"picture": ["a.png", "b.png"], "label": ["x", "y"]}, False),
        ({"file": [1, 2], "label": ["x", "y"]}, False),
        ({"file": [None, None], "image": ["a.png", "b.png"]}, True),
        ({"x": [1.0], "y": [2.0]}, False),
    ],
)
def test_a_table_of_pictures_is_known_by_its_paths(columns, expected):
    assert is_picture_table(pl.DataFrame(columns)) == expected
