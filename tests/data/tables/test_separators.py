"""Tables as text are read right whatever separates their cells, or their form is told; never wrongly in silence."""

import time

import numpy as np
import pytest

from trivium.data import datasets
from trivium.errors import DataError

pytestmark = pytest.mark.plain

ROWS = 20


def table(folder, header, row):
    lines = [header, *(row.format(n=number, n2=number % 2) for number in range(ROWS))]
    (folder / "t.csv").write_text("".join(f"{line}\n" for line in lines if line))
    return folder / "t.csv"


@pytest.mark.parametrize(
    ("header", "row"),
    [
        ("a;label", "{n},5;{n2}"),
        ("", "{n},5;{n2}"),
        ("a, in EUR;label", "{n},5;{n2}"),
        ("a\tlabel", "{n},5\t{n2}"),
        ("a\tlabel", "{n}.5\t{n2}"),
        ("a|label", "{n}.5|{n2}"),
        ("a|label", "{n},50|{n2}"),
        ("a,label", "{n}.5,{n2}"),
    ],
)
def test_numbers_are_read_whatever_separates_them(tmp_path, header, row):
    dataset = datasets.load(table(tmp_path, header, row))
    x = np.concatenate([dataset.train.x, dataset.test.x])
    assert sorted(x[:, 0].tolist()) == [number + 0.5 for number in range(ROWS)]
    assert dataset.labels == ("0", "1")


@pytest.mark.parametrize(
    ("separator", "row"), [("\t", "1,1{n:02}\t{n2}"), (",", '"{n},5",{n2}'), (";", "1.1{n:02},5;{n2}")]
)
def test_what_may_be_thousands_is_told(tmp_path, separator, row):
    dataset = datasets.load(table(tmp_path, f"a{separator}label", row))
    assert any("write them without separators" in note for note in dataset.notes)


@pytest.mark.parametrize("row", ["{n}.5 {n2}", "{n}.5:{n2}", "{n}.5"])
def test_another_separator_is_told(tmp_path, row):
    with pytest.raises(DataError, match="separate cells by commas, semicolons or tabs"):
        datasets.load(table(tmp_path, "a", row))


@pytest.mark.parametrize("number", [2**53, 2**63, -(2**63) - 1, 10**25, 10**400])
@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_integers_of_any_size_stay_distinct_classes(tmp_path, number, separator):
    names = [number, number + 1]
    rows = "".join(f"{row}{separator}{names[row % 2]}\n" for row in range(ROWS))
    (tmp_path / "t.csv").write_text(f"a{separator}label\n{rows}")
    assert set(datasets.load(tmp_path / "t.csv").labels) == set(map(str, names))


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_more_columns_than_are_read_in_time_are_refused_at_once(tmp_path, ending):
    import polars

    path = tmp_path / f"t.{ending}"
    frame = polars.DataFrame({f"c{place}": [1, 2] for place in range(20_000)})
    frame.write_csv(path) if ending == "csv" else frame.write_parquet(path)
    began = time.monotonic()
    with pytest.raises(DataError, match="has 20,000 columns, at most 5,000 are read as a table: save numbers by"):
        datasets.load(path)
    assert time.monotonic() - began < 5


def test_many_classes_in_words_are_read_in_time(tmp_path):
    (tmp_path / "t.csv").write_text("a,label\n" + "".join(f"{row},word {row // 3}\n" for row in range(60_000)))
    began = time.monotonic()
    assert len(datasets.load(tmp_path / "t.csv").labels) == 20_000
    assert time.monotonic() - began < 10
