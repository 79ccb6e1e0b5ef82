"""The rows of a table piece by piece: those in memory as one piece, those in a file some MB at a time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import DataError
from ...storage.memory import memory_size
from ..data_name import parse_flag
from ..stored import is_stored
from . import frames

if TYPE_CHECKING:
    import polars

_PIECE_SIZE = 2**26  # bytes
_LONGEST_PIECE = 2**20  # rows
_NUMBER_SIZE = 8  # bytes of a cell as a number
# polars takes 5.3 times the size of a `.csv` file to read it into columns of text (190 MB of numbers, polars 2.1).
_TEXT_FACTOR = 5.5


@dataclass(frozen=True)
class Table:
    """A table in memory, or in a file that polars reads.

    Attributes:
        name: for messages; the path of a file.
        lazy: its rows.
        schema: the type of each column by its name.
        rows: their number.
        row_size: of a row in its file, in bytes; None for a table in memory, which is one piece.
    """

    name: str
    lazy: polars.LazyFrame
    schema: Mapping[str, Any]
    rows: int
    row_size: int | None = None

    @property
    def columns(self) -> list[str]:
        """The names of the columns."""
        return list(self.schema)

    @property
    def is_stored(self) -> bool:
        """Whether it stays in its file."""
        return self.row_size is not None

    def pieces(self, names: Sequence[str]) -> Iterator[tuple[int, polars.DataFrame]]:
        """Yield these columns piece by piece, each with the number of the rows before it.

        Raises:
            DataError: the file is damaged, or is not there any more.
        """
        if self.row_size is None:
            yield 0, self.lazy.select(names).collect()
            return
        # A slice takes the memory of its rows, also where all rows of a file lie in one group.
        size = max(_NUMBER_SIZE * len(names), self.row_size)
        count = max(1, min(_LONGEST_PIECE, _PIECE_SIZE // size))
        for start in range(0, self.rows, count):
            with frames.refused_if_damaged(Path(self.name)):
                piece = self.lazy.select(names).slice(start, count).collect(engine="streaming")
            yield start, piece

    def frame(self) -> polars.DataFrame:
        """Return all rows in memory."""
        return self.lazy.collect()


def in_memory(frame: polars.DataFrame, name: str) -> Table:
    """Return a frame as a table."""
    return Table(name, frame.lazy(), frame.schema, len(frame))


def open_table(path: Path, stored: str = "") -> Table:
    """Return the table in a file: read into memory, or left in the file if it is of a typed format and large.

    Args:
        stored: `yes` leaves it there, `no` reads it; by default a large one is left there.

    Raises:
        DataError: the file is missing or damaged, or is text and is to stay there, or is text and too large to be read.
    """
    if path.suffix.lower() in frames.TEXT_ENDINGS:
        _require_readable(path, stored)
    elif not (stored and not parse_flag("stored", stored)):
        table = _in_file(path)
        if is_stored(max(path.stat().st_size, table.rows * len(table.schema) * _NUMBER_SIZE), stored):
            return table
    return in_memory(frames.read_frame(path), str(path))


def _in_file(path: Path) -> Table:
    import polars

    with frames.refused_if_damaged(path):
        lazy = polars.scan_parquet(path) if path.suffix.lower() == ".parquet" else polars.scan_ipc(path)
        rows = lazy.select(polars.len()).collect().item()
        return Table(str(path), lazy, lazy.collect_schema(), rows, path.stat().st_size // max(1, rows))


def _require_readable(path: Path, stored: str) -> None:
    """Raise a DataError if a table in text is to stay in its file, or takes more than the memory to be read."""
    is_large = not stored and path.is_file() and path.stat().st_size * _TEXT_FACTOR > memory_size()
    if is_large or (stored and parse_flag("stored", stored)):
        raise DataError(
            f"{path} {'takes more than the memory to be read' if is_large else 'cannot stay in its file'}, because "
            "text says nothing about types: save it by polars.scan_csv(…).sink_parquet(…)"
            + ("; stored=no reads it all the same" if is_large else "")
        )
