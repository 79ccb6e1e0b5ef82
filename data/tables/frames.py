"""Reads a table from a file, or takes a user's data frame, as a polars frame.

A `.csv` file says nothing about types: its columns are text here, and `text_cells.py` decides what they hold.
"""

from __future__ import annotations

import contextlib
import csv
import io
import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import DataError, first_line
from ...functions import suggest
from ...storage.budget import COLUMNS
from ...storage.regular_file import read_regular, require_regular

if TYPE_CHECKING:
    import polars

TEXT_ENDINGS = (".csv", ".tsv")
TYPED_ENDINGS = (".parquet", ".feather", ".arrow")
# The name of a table that is a data frame in memory.
FRAME = "the table"
ENDINGS = (*TEXT_ENDINGS, *TYPED_ENDINGS)
# The names of the column with the labels, unless it is the last.
LABEL_COLUMNS = ("label", "class", "target", "y")

_DECIMAL_COMMA = r"^([+-]?\d*),(\d+(?:[eE][+-]?\d+)?)$"
# Three digits behind the comma may be thousands, where semicolons do not say that commas are decimal.
_SURE_DECIMAL_COMMA = r"^([+-]?\d*),(\d{1,2}|\d{4,})$"
_NAMELESS = "column {}"
_FIRST_BYTES = 65_536
_DAMAGE = (OSError, UnicodeDecodeError, csv.Error)


def read_frame(path: Path, only: Collection[str] = ()) -> polars.DataFrame:
    """Read a table.

    A `.csv` or `.tsv` file: commas, semicolons, tabs or bars separate the cells; where no commas do, a number may have
    a decimal comma. The first row is the header if it holds no number, one of `LABEL_COLUMNS`, or a word above a column
    of numbers; without a header, the columns are called `column 1`, `column 2`, …

    Args:
        path: the file.
        only: the columns of a typed format to read, in lower case; empty reads all.

    Returns:
        Columns of text for `.csv` and `.tsv`, stripped, an empty cell as null; typed columns for the other formats.

    Raises:
        DataError: the file is missing, damaged, empty or ragged, or two of its columns have the same name.
    """
    import polars

    require_regular(path)
    with refused_if_damaged(path):
        if path.suffix.lower() in TEXT_ENDINGS:
            return _read_text(path)
        read = polars.read_parquet if path.suffix.lower() == ".parquet" else polars.read_ipc
        columns = typed_columns(path)
        names = [name for name in columns if name.strip().lower() in only] if only else None
        return read(path, columns=names)


def typed_columns(path: Path) -> list[str]:
    """Return the names of the columns of a typed table; none of its cells is read.

    Raises:
        DataError: the file is missing or damaged.
    """
    import polars

    read_schema = polars.read_parquet_schema if path.suffix.lower() == ".parquet" else polars.read_ipc_schema
    require_regular(path)
    with refused_if_damaged(path):
        names = list(read_schema(path))
    _require_few(path, len(names))
    return names


def is_frame(value: Any) -> bool:
    """Return whether a value is a data frame of polars, pandas or pyarrow, by what it can do."""
    return hasattr(value, "__dataframe__") or (hasattr(value, "columns") and hasattr(value, "to_numpy"))


def from_user(frame: Any) -> polars.DataFrame:
    """Return a user's data frame, or rows that are dictionaries by column, as a polars frame.

    Raises:
        DataError: its columns cannot be taken over.
    """
    import polars

    if isinstance(frame, polars.DataFrame):
        return frame
    try:
        if isinstance(frame, list):
            return polars.DataFrame(frame, infer_schema_length=None)
        if hasattr(frame, "to_pydict"):  # a table of pyarrow
            return polars.DataFrame(polars.from_arrow(frame))
        return polars.DataFrame({str(name): _series_of(frame[name]) for name in frame.columns})
    except (TypeError, ValueError, polars.exceptions.PolarsError) as error:
        raise DataError(f"the data frame cannot be read ({first_line(error)})") from error


def require_columns(where: str, columns: Sequence[str], names: Iterable[str]) -> None:
    """Raise a DataError, with the nearest names, unless a table has each of these columns."""
    listed = ", ".join(columns)
    for name in names:
        if name not in columns:
            raise DataError(f"{where} has no column {name!r} (it has: {listed}){suggest(name, list(columns))}")


def usual_target(columns: Iterable[str]) -> str | None:
    """Return the column that is called as a target usually is, the first of `LABEL_COLUMNS`; None if none is."""
    by_lower_case = {name.strip().lower(): name for name in reversed(list(columns))}
    return next((by_lower_case[name] for name in LABEL_COLUMNS if name in by_lower_case), None)


def is_nameless(names: Sequence[str]) -> bool:
    """Return whether these are the names of a table without a header."""
    return list(names) == [_NAMELESS.format(place + 1) for place in range(len(names))]


def titled(name: str) -> str:
    """Return the name of a column for a message: `column price`, or `column 2` of a table without a header."""
    return name if re.fullmatch(_NAMELESS.format(r"\d+"), name) else f"column {name}"


def _series_of(column: Any) -> Any:
    """Return a column of a pandas frame as what polars takes; missing words are None."""
    values = column.to_numpy()
    if values.dtype.kind == "O":
        return [None if value != value or value is None else value for value in values.tolist()]
    return values


@contextlib.contextmanager
def refused_if_damaged(path: Path) -> Iterator[None]:
    """Turn what polars raises on a file that it cannot read into an error of one line."""
    import polars

    try:
        yield
    except FileNotFoundError:
        raise DataError(f"{path}: no such file") from None
    except (*_DAMAGE, polars.exceptions.PolarsError, polars.exceptions.PanicException) as error:
        # A panic is what its code in Rust ends with where it relies on what a damaged file does not hold.
        raise DataError(f"{path}: cannot be read as a table ({first_line(error)})") from error


def _read_text(path: Path) -> polars.DataFrame:
    import polars

    content = read_regular(path)
    separator = _separator(content[:_FIRST_BYTES])
    _require_even(path, content, separator)
    cells = polars.read_csv(io.BytesIO(content), has_header=False, infer_schema=False, separator=separator)
    text = polars.all().str.strip_chars()
    if separator != ",":
        comma = _DECIMAL_COMMA if separator == ";" else _SURE_DECIMAL_COMMA
        text = text.str.replace(comma, "${1}.${2}")
    cells = cells.select(polars.when(text.str.len_chars() > 0).then(text).name.keep())
    rows = cells.filter(~polars.all_horizontal(polars.all().is_null()))
    header = ["" if name is None else name for name in rows.row(0)]
    if not _is_header(header, rows):
        return rows.rename({old: _NAMELESS.format(place + 1) for place, old in enumerate(rows.columns)})
    _require_names(path, header)
    return rows.slice(1).rename(dict(zip(rows.columns, header, strict=True)))


def _separator(start: bytes) -> str:
    first = start.decode("utf-8-sig", "replace").lstrip().partition("\n")[0]
    unquoted = re.sub(r'"[^"]*"', "", first)
    mark = next((mark for mark in (";", "\t") if mark in unquoted), ",")
    return "|" if mark == "," and "|" in unquoted and "," not in unquoted else mark


def _require_even(path: Path, content: bytes, separator: str) -> None:
    """Raise a DataError unless every row has as many cells: polars fills a short row without a word."""
    lengths = {len(row) for row in csv.reader(_lines(content), delimiter=separator) if row}
    if not lengths:
        raise DataError(f"{path}: there is no row in it")
    if len(lengths) > 1:
        raise DataError(f"{path}: its rows have between {min(lengths)} and {max(lengths)} columns")
    _require_few(path, *lengths)


def _require_few(path: Path, count: int) -> None:
    if count > COLUMNS:
        raise DataError(
            f"{path} has {count:,} columns, at most {COLUMNS:,} are read as a table: save numbers by np.savez instead"
        )


def _lines(content: bytes) -> Iterator[str]:
    return iter(io.TextIOWrapper(io.BytesIO(content), "utf-8-sig", newline=""))


def _require_names(path: Path, names: Sequence[str]) -> None:
    for place, name in enumerate(names):
        if name in names[:place]:
            raise DataError(f"{path}: two columns are called {name!r}: rename one")


def _is_header(first: Sequence[str], rows: polars.DataFrame) -> bool:
    """Return whether the first of the rows is a header."""
    import polars

    is_word = [not _are_numbers(polars.Series([name])) for name in first]
    if all(is_word) or any(name.lower() in LABEL_COLUMNS for name in first):
        return True
    columns = [column.drop_nulls() for column in rows.slice(1).get_columns()]
    return any(word and len(column) > 0 and _are_numbers(column) for word, column in zip(is_word, columns, strict=True))


def _are_numbers(cells: polars.Series) -> bool:
    import polars

    return cells.cast(polars.Float64, strict=False).null_count() == 0
