"""A table becomes a dataset: what its columns hold, which is the target, and what is left out or refused."""

import numpy as np
import polars
import pytest

from trivium.data import datasets
from trivium.data.columns import BOOLEAN, DATE, NUMBER, TEXT, UNKNOWN, WORDS, Column
from trivium.data.preprocessing.pipeline import Chain
from trivium.data.tables.encoding import encode
from trivium.data.tables.labelled_table import from_frame
from trivium.data.tables.recoding import with_columns
from trivium.data.tables.survey import columns_of
from trivium.errors import DataError

pytestmark = pytest.mark.plain

HOUSES = """,size,town,sold,new,price
0,70.5,Bonn,2024-01-02,true,200.5
1,,Köln,2024-01-03,false,300
2,90,,2024-01-04,true,400
3,NA,Bonn,,,500
4,50,Köln,2024-01-06,false,150
5,60,Aachen,2024-01-07,true,170
"""


def write(tmp_path, text, name="houses.csv"):
    (tmp_path / name).write_text(text, "utf-8")
    return tmp_path / name


def test_numbers_words_dates_truth_and_gaps(tmp_path):
    data = datasets.load(f"{write(tmp_path, HOUSES)}:test_share=0")
    assert data.columns == (
        Column("size", NUMBER),
        Column("town", WORDS, ("Aachen", "Bonn", "Köln")),
        Column("sold", DATE),
        Column("new", BOOLEAN),
    )
    gap = np.nan
    day = (np.datetime64("2024-01-02") - np.datetime64("1970-01-01")).astype(int)
    expected = [
        [70.5, 1, day, 1],
        [gap, 2, day + 1, 0],
        [90, gap, day + 2, 1],
        [gap, 1, gap, gap],
        [50, 2, day + 4, 0],
        [60, 0, day + 5, 1],
    ]
    np.testing.assert_array_equal(data.train.x, expected)
    assert data.train.y.tolist() == [200.5, 300, 400, 500, 150, 170]
    assert (data.labels, data.targets) == ((), ("price",))
    assert data.notes == ("Column '' is left out: it counts the rows.",)


def test_the_target_is_named(tmp_path):
    path = write(tmp_path, HOUSES)
    assert datasets.load(f"{path}:target=price").targets == ("price",)
    with pytest.raises(DataError, match=r"no column 'pric'.*did you mean 'price'"):
        datasets.load(f"{path}:target=pric")
    with pytest.raises(DataError, match="row 3 has no town"):
        datasets.load(f"{path}:target=town")


def test_several_targets_are_a_dictionary_with_the_classes_of_each():
    frame = polars.DataFrame({"a": range(0, 40, 2), "kind": ["x", "y"] * 10, "price": [i / 2 for i in range(20)]})
    data = from_frame(frame, "t", "kind, price", "0")
    assert data.train.y.keys() == {"kind", "price"}
    assert data.labels == {"kind": ("x", "y")}
    np.testing.assert_array_equal(data.train.y["price"], frame["price"].to_numpy())
    halved = from_frame(frame, "t", "kind,price", "0.5")
    for split in (halved.train, halved.test):
        np.testing.assert_array_equal(split.y["price"] * 4, split.x[:, 0])


@pytest.mark.parametrize(
    ("values", "task", "labels"),
    [
        ([1, 2, 3] * 10, "", ("1", "2", "3")),
        (list(range(3, 33)), "", ()),
        ([3 * (i // 2) for i in range(60)], "", ()),
        ([1, 2, 3] * 10, "regression", ()),
        ([2, 10, 3] * 10, "classification", ("2", "3", "10")),
        ([1.5, 2.5, 3.5] * 10, "classification", ("1.5", "2.5", "3.5")),
        ([1.5, 2.5, 3.5] * 10, "", ()),
        ([True, False] * 10, "", ("false", "true")),
    ],
)
def test_integers_are_classes_or_values_and_the_user_decides(values, task, labels):
    frame = polars.DataFrame({"a": np.linspace(0, 1, len(values)), "y": values})
    data = from_frame(frame, "t", task=task)
    assert data.labels == labels
    assert bool([note for note in data.notes if "integers" in note]) == (
        not task and isinstance(values[0], int) and values[0] is not True
    )


def test_columns_that_say_nothing_are_left_out_and_that_is_said():
    names = [f"person {i}" for i in range(100)]
    frame = polars.DataFrame(
        {
            "id": range(1, 101),
            "name": names,
            "none": [None] * 100,
            "a": [i % 7 for i in range(100)],
            "y": ["u", "v"] * 50,
        }
    )
    data = from_frame(frame, "t")
    assert [column.name for column in data.columns] == ["a"]
    assert data.notes == (
        "Column 'id' is left out: it counts the rows.",
        "Column 'name' is left out: 100 of its 100 cells differ.",
        "Column 'none' is left out: it is empty.",
    )
    with pytest.raises(DataError, match="no column can be learned from"):
        from_frame(frame.select("name", "y"), "t")


def test_every_kind_of_file_gives_the_same_data(tmp_path):
    frame = polars.DataFrame(
        {"size": [1.5, None, 2.5] * 10, "town": ["Bonn", "Köln", None] * 10, "y": ["u", "v", "u"] * 10}
    )
    frame.write_csv(tmp_path / "a.csv")
    frame.write_csv(tmp_path / "b.tsv", separator="\t")
    frame.write_parquet(tmp_path / "c.parquet")
    frame.write_ipc(tmp_path / "d.feather")
    checksums = {datasets.load(tmp_path / name).checksum for name in ("a.csv", "b.tsv", "c.parquet", "d.feather")}
    assert len(checksums) == 1


def test_a_cell_that_is_no_number_among_numbers_is_a_mistake_not_a_word(tmp_path):
    rows = "".join(f"{i},u\n" for i in range(30))
    with pytest.raises(DataError, match="row 31 of column a holds 'twelve', expected a number: correct it, or leave"):
        datasets.load(write(tmp_path, f"a,y\n{rows}twelve,v\n"))


def test_dates_that_can_be_read_in_two_ways_are_refused(tmp_path):
    text = "day,y\n" + "03/04/2024,u\n05/06/2024,v\n" * 3
    with pytest.raises(DataError, match="column day has dates such as 03/04/2024, which can mean two days"):
        datasets.load(write(tmp_path, text))
    clear = datasets.load(f"{write(tmp_path, text.replace('03/04', '25/04'))}:test_share=0")
    april = (np.datetime64("2024-04-25") - np.datetime64("1970-01-01")).astype(int)
    assert clear.train.x[0, 0] == april


def test_a_table_is_encoded_by_the_columns_of_another():
    columns = columns_of(polars.DataFrame({"town": ["Bonn", "Köln"], "size": [1, 2]}), "t")
    other = polars.DataFrame({"more": [0, 0, 0], "size": [5, 6, 7], "town": ["Köln", "Rom", None]})
    np.testing.assert_array_equal(encode(other, columns, "t"), [[1, 5], [UNKNOWN, 6], [np.nan, 7]])
    with pytest.raises(DataError, match=r"t has no column size \(it has: town\)"):
        encode(other.select("town"), columns, "t")
    with pytest.raises(DataError, match="row 1 of column size holds 'big', expected a number"):
        encode(polars.DataFrame({"town": ["Bonn"], "size": ["big"]}), columns, "t")


def test_a_dataset_is_recoded_by_the_columns_of_another():
    columns = (Column("town", WORDS, ("Köln", "Rom")), Column("size"))
    frame = polars.DataFrame({"size": range(20), "town": ["Bonn", "Köln", "Rom", None] * 5, "y": ["u", "v"] * 10})
    data = with_columns(from_frame(frame, "t", test_share="0"), columns)
    np.testing.assert_array_equal(data.train.x[:4], [[UNKNOWN, 0], [0, 1], [1, 2], [np.nan, 3]])
    with pytest.raises(DataError, match="column size holds number, expected words"):
        with_columns(data, (Column("size", WORDS, ("a",)),))


@pytest.mark.parametrize("setting", ["task=guess", "numbers=log", "words=many", "test_share=2"])
def test_settings_of_no_meaning_are_refused(tmp_path, setting):
    with pytest.raises(DataError, match=setting.partition("=")[0]):
        Chain.from_steps(datasets.load(f"{write(tmp_path, HOUSES)}:{setting}").preparation)


def sentences(count=60):
    """Return a table of reviews, each with a number of its own, and of what people thought."""
    words = [("good", "fine"), ("bad", "poor")]
    texts = [f"Film {i}: {words[i % 2][i // 2 % 2]}, I think." for i in range(count)]
    return polars.DataFrame({"id": range(count), "review": texts, "liked": ["yes", "no"] * (count // 2)})


def test_a_column_of_sentences_is_read_where_nothing_else_can_be_learned_from():
    data = from_frame(sentences(), "t", test_share="0")
    assert data.columns == (Column("review", TEXT),)
    assert data.train.x.dtype == np.int32
    assert "".join(map(chr, data.train.x[0])).rstrip("\0") == "Film 0: good, I think."
    assert data.notes == ("Left out, because 'review' alone is read: 'id'.",)
    assert data.preparation[0].settings == {"column": "review"}


def test_sentences_beside_other_columns_are_read_where_the_user_says_so():
    frame = sentences().with_columns(age=polars.int_range(60) % 7)
    assert [column.name for column in from_frame(frame, "t", "liked").columns] == ["age"]
    assert any("`text` review reads its sentences" in note for note in from_frame(frame, "t", "liked").notes)
    assert from_frame(frame, "t", "liked", text="review").columns == (Column("review", TEXT),)
    with pytest.raises(DataError, match="no column 'reviews'"):
        from_frame(frame, "t", "liked", text="reviews")


def test_data_of_another_column_of_sentences_are_refused():
    data = from_frame(sentences(), "t")
    assert with_columns(data, data.columns) is data
    with pytest.raises(DataError, match="the columns review were read, expected size as in training"):
        with_columns(data, (Column("size"),))


def test_numbers_with_separators_and_units_are_told(tmp_path):
    table = tmp_path / "prices.csv"
    lines = [f'"{1000 + 7 * row:,}",{row % 5}%,{row % 3},{"yes" if row % 2 else "no"}' for row in range(40)]
    table.write_text("\n".join(["price,rate,rooms,sold", *lines]))
    data = datasets.load(str(table))
    assert data.notes == (
        "Column 'price' holds words such as '1,000': to read numbers, write them without separators and units.",
        "Column 'rate' holds words such as '0%': to read numbers, write them without separators and units.",
    )
