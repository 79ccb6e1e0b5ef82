"""Tables as files of every kind are read alike; what is damaged is refused."""

import pandas
import polars
import pytest

from trivium.data.tables import frames
from trivium.errors import DataError

pytestmark = pytest.mark.plain


@pytest.mark.parametrize(
    ("ending", "text"),
    [
        (".csv", 'size,town,price\n1.5,"Bonn, Beuel",10.5\n,Köln,11\n\n2.5,,12\n'),
        (".csv", '\ufeffsize;town;price\n1,5;"Bonn, Beuel";10,5\n;Köln;11\n2,5;;12\n'),
        (".tsv", "size\ttown\tprice\r\n 1.5\tBonn, Beuel \t10.5\r\n\tKöln\t11\r\n2.5\t\t12\r\n"),
    ],
)
def test_separators_decimal_commas_quotes_and_gaps(tmp_path, ending, text):
    path = tmp_path / f"houses{ending}"
    path.write_text(text, "utf-8", newline="")
    rows = [("1.5", "Bonn, Beuel", "10.5"), (None, "Köln", "11"), ("2.5", None, "12")]
    frame = frames.read_frame(path)
    assert (frame.columns, frame.rows()) == (["size", "town", "price"], rows)


@pytest.mark.parametrize("ending", [".parquet", ".feather", ".arrow"])
def test_typed_files_keep_their_types(tmp_path, ending):
    frame = polars.DataFrame({"size": [1.5, None], "rooms": [3, 4], "town": ["Bonn", "Köln"]})
    path = tmp_path / f"houses{ending}"
    frame.write_parquet(path) if ending == ".parquet" else frame.write_ipc(path)
    assert frames.read_frame(path).equals(frame)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("1,2\n3,4\n", ["column 1", "column 2"]),
        ("a,b\n1,2\n", ["a", "b"]),
        ("1970,2000\n3,4\n", ["column 1", "column 2"]),
        ("1970,y\n3,4\n", ["1970", "y"]),
        ("1970,place\n3,4\n", ["1970", "place"]),
        (",a\n0,1.5\n1,2.5\n", ["", "a"]),
    ],
)
def test_a_first_row_is_the_header_or_a_row(tmp_path, text, names):
    path = tmp_path / "t.csv"
    path.write_text(text)
    frame = frames.read_frame(path)
    assert frame.columns == names
    assert len(frame) == text.count("\n") - (0 if frames.is_nameless(names) else 1)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("t.csv", b"a,b\n1,2\n3\n", "its rows have between 1 and 2 columns"),
        ("t.csv", b"", "there is no row in it"),
        ("t.csv", b"a,b,a\n1,2,3\n", "two columns are called 'a'"),
        ("t.csv", b"a,b\n\xff\xfe,2\n", "cannot be read as a table"),
        ("t.parquet", b"PAR1 no more", "cannot be read as a table"),
        ("t.feather", b"ARROW1", "cannot be read as a table"),
    ],
)
def test_a_damaged_table_is_refused_in_one_line(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=message) as error:
        frames.read_frame(tmp_path / name)
    assert "\n" not in str(error.value)


def test_a_missing_table_is_refused(tmp_path):
    for ending in frames.ENDINGS:
        with pytest.raises(DataError, match="no such file"):
            frames.read_frame(tmp_path / f"none{ending}")


def test_a_pandas_frame_is_taken_by_its_columns():
    frame = pandas.DataFrame(
        {
            "size": [1.5, None],
            "town": ["Bonn", None],
            "built": pandas.to_datetime(["1970-01-02", None]),
            3: [True, False],
        }
    )
    assert frames.is_frame(frame)
    taken = frames.from_user(frame)
    assert taken.columns == ["size", "town", "built", "3"]
    assert taken["town"].to_list() == ["Bonn", None]
    assert taken["built"].dt.epoch("d").to_list() == [1, None]
    assert taken["size"].is_nan().to_list() == [False, True]
    assert taken["3"].to_list() == [True, False]
