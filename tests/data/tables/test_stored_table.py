"""A table that stays in its file is the dataset of the same table in memory, whatever the pieces it is read in."""

import datetime
import shutil
from collections import namedtuple

import numpy as np
import polars
import pytest

from trivium.data import datasets, deferred_array
from trivium.data.data_source import dataset_of
from trivium.data.preprocessing.table_columns import TableColumns
from trivium.data.tables import distinct_words, table
from trivium.errors import DataError, OutputError
from trivium.storage import scratch_array

pytestmark = pytest.mark.plain

ROWS = 300


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch, tmp_path):
    """Read, write and add up a few rows at a time."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(table, "_PIECE_SIZE", 8_000)
    monkeypatch.setattr(scratch_array, "_BUCKET_SIZE", 6_000)
    monkeypatch.setattr(deferred_array, "_CHUNK_SIZE", 5_000)


def frame():
    generator = np.random.default_rng(0)
    towns, days = [None, "Bonn", "Köln", "NA"], [datetime.date(2024, 1, 1) + datetime.timedelta(n) for n in range(30)]
    return polars.DataFrame(
        {
            "id": range(1, ROWS + 1),
            "size": [None if n % 7 == 0 else n * 0.1 for n in range(ROWS)],
            "town": [towns[n * n % 5 % 4] for n in range(ROWS)],
            # Of the first pieces alone, each could be a month and a day in either order.
            "sold": [f"0{n % 9 + 1}/{n % 5 + 1:02}/2024" if n < 250 else "31/01/2024" for n in range(ROWS)],
            "built": [days[n % 30] for n in range(ROWS)],
            "name": [f"person {n}" for n in range(ROWS)],
            "empty": polars.Series([None] * ROWS, dtype=polars.Float64),
            "new": [n % 3 == 0 for n in range(ROWS)],
            "rooms": [str(n) for n in generator.integers(1, 6, ROWS)],
            "kind": polars.Series(["x", "y", "z"] * (ROWS // 3), dtype=polars.Categorical),
            "score": generator.integers(1, 4, ROWS),
            "price": generator.normal(size=ROWS),
        }
    )


def write(tmp_path, content, ending=".parquet"):
    path = tmp_path / f"houses{ending}"
    if ending == ".parquet":
        content.write_parquet(path, row_group_size=70)
    else:
        content.write_ipc(path)
    return path


@pytest.mark.parametrize(
    ("settings", "ending"),
    [
        ("", ".parquet"),
        ("target=kind", ".feather"),
        ("target=score", ".parquet"),
        ("target=score:task=regression:numbers=min-max", ".arrow"),
        ("target=rooms:test_share=0.5", ".parquet"),
        ("target=new:words=index", ".parquet"),
        ("target=kind,price", ".parquet"),
        ("target=price:test_share=0", ".parquet"),
    ],
)
def test_it_is_the_dataset_in_memory(tmp_path, settings, ending):
    name = f"{write(tmp_path, frame(), ending)}:{settings}".rstrip(":")
    stored, loaded = (datasets.load(f"{name}:stored={text}") for text in ("yes", "no"))
    assert stored.train.is_deferred
    assert not loaded.train.is_deferred
    assert stored.checksum == loaded.checksum
    for attribute in ("columns", "labels", "targets", "notes", "preparation"):
        assert getattr(stored, attribute) == getattr(loaded, attribute)
    step = TableColumns(**loaded.preparation[0].settings)
    assert step.fit(stored.train.x) == step.fit(loaded.train.x)
    assert step.fit(stored.train.x).gaps
    assert not list((tmp_path / "cache" / "trivium").iterdir())


def test_a_large_table_stays_in_its_file_and_a_small_one_does_not(tmp_path, monkeypatch):
    path = write(tmp_path, frame())
    assert not datasets.load(path).train.is_deferred
    monkeypatch.setattr(table, "is_stored", lambda size, stored: size > ROWS * 11 * 8)
    assert datasets.load(path).train.is_deferred


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        ({"a": [*range(298), float("inf"), 1.0]}, "row 299 of column a holds 'inf', expected a number"),
        ({"a": [*map(str, range(297)), "3,5", "1", "2"]}, r"row 298 of column a holds '3,5', expected a number"),
        ({"y": [*(n / 2 for n in range(299)), None]}, "row 300 has no y"),
        ({"y": [*(n / 2 for n in range(299)), float("nan")]}, "row 300 of column y holds no number"),
        ({"a": ["01/02/2024"] * 300}, "column a has dates such as 01/02/2024, which can mean two days"),
        ({"a": [[1]] * 300}, r"column a holds List\(Int64\): expected numbers"),
    ],
)
def test_what_is_wrong_in_a_later_piece_is_named_by_its_row(tmp_path, cells, message):
    columns = {"a": [n / 3 for n in range(300)], "y": [n / 2 for n in range(300)]} | cells
    path = write(tmp_path, polars.DataFrame(columns, strict=False))
    for text in ("yes", "no"):
        with pytest.raises(DataError, match=message):
            datasets.load(f"{path}:stored={text}")


def test_too_many_words_are_counted_and_refused_where_they_are_features(tmp_path, monkeypatch):
    monkeypatch.setattr(distinct_words, "_LARGEST", 500)
    monkeypatch.setattr(table, "_PIECE_SIZE", 1_000)
    halves = [f"word {n // 2}" for n in range(300)]
    content = polars.DataFrame(
        {"name": [f"n {n}" for n in range(300)], "word": halves, "a": range(300), "y": [1.5, 2] * 150}
    )
    path = write(tmp_path, content)
    with pytest.raises(DataError, match="column word holds 150 different words, too many"):
        datasets.load(f"{path}:stored=yes")
    with pytest.raises(DataError, match="column word holds 150 different words: too many classes"):
        datasets.load(f"{path}:stored=yes:target=word")
    notes = datasets.load(f"{write(tmp_path, content.drop('word'))}:stored=yes").notes
    assert notes == ("Column 'name' is left out: 300 of its 300 cells differ.",)


def test_sentences_and_text_files_say_what_to_do(tmp_path):
    texts = polars.DataFrame({"review": [f"it was as good as {n}" for n in range(60)], "liked": ["yes", "no"] * 30})
    with pytest.raises(DataError, match="the sentences in 'review' are read in memory: load them by `stored=no`"):
        datasets.load(f"{write(tmp_path, texts)}:stored=yes")
    texts.write_csv(tmp_path / "t.csv")
    with pytest.raises(DataError, match=r"t.csv cannot stay in its file.*polars\.scan_csv\(…\)\.sink_parquet\(…\)"):
        datasets.load(f"{tmp_path / 't.csv'}:stored=yes")
    with pytest.raises(DataError, match="has no setting 'stored'"):
        dataset_of(texts, stored="yes")


def test_a_text_file_that_takes_more_than_the_memory_is_refused(tmp_path, monkeypatch):
    frame().write_csv(tmp_path / "t.csv")
    monkeypatch.setattr(table, "memory_size", lambda: 50_000)
    with pytest.raises(DataError, match=r"t\.csv takes more than the memory to be read, .*; stored=no reads it"):
        datasets.load(tmp_path / "t.csv")
    assert len(datasets.load(f"{tmp_path / 't.csv'}:stored=no").train) == ROWS * 4 // 5


def test_a_full_disk_is_an_error_before_the_rows_are_written(tmp_path, monkeypatch):
    usage = namedtuple("usage", "total used free")(10, 9, 1_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: usage)
    with pytest.raises(
        OutputError, match=r"its rows take 0.0 GB as numbers, .* set XDG_CACHE_HOME to a folder on a larger"
    ):
        datasets.load(f"{write(tmp_path, frame())}:stored=yes")


def test_a_damaged_file_is_refused(tmp_path):
    path = write(tmp_path, frame())
    content = bytearray(path.read_bytes())
    content[200 : len(content) // 2] = bytes(len(content) // 2 - 200)
    path.write_bytes(content)
    with pytest.raises(DataError, match="cannot be read as a table"):
        datasets.load(f"{path}:stored=yes")


def test_a_part_in_another_file_is_read_in_pieces_too(tmp_path):
    later = frame().with_columns(polars.lit("Bonn").alias("town"))
    (tmp_path / "later").mkdir()
    name = f"{write(tmp_path, frame())}:validation={write(tmp_path / 'later', later)}"
    stored, loaded = (datasets.load(f"{name}:stored={text}") for text in ("yes", "no"))
    np.testing.assert_array_equal(stored.validation.x[:], loaded.validation.x)
    assert stored.checksum == loaded.checksum
