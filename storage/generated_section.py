"""A part of a document that a command writes, between two marks that stay where they are."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ..errors import DataError
from .atomic import write_text


@dataclass(frozen=True)
class MarkedPart:
    """Two lines of a document; what stands between them is replaced.

    Attributes:
        begin, end: the lines.
    """

    begin: str
    end: str

    def around(self, *lines: str) -> str:
        """The lines between the marks, an empty line at either side."""
        return "\n".join([self.begin, "", *lines, "", self.end])

    def put_into(self, text: str, part: str) -> str:
        """A text with `part`, marks and all, in place of what is there.

        Raises:
            DataError: the text has not got these marks.
        """
        before, begin, rest = text.partition(self.begin)
        _, end, after = rest.partition(self.end)
        if not begin or not end:
            raise DataError(f"no place for what is to be written: expected the lines {self.begin} and {self.end}")
        return before + part + after

    def write(self, path: Path, part: str) -> None:
        """As `put_into`, in a file: whole or not at all."""
        write_text(path, self.put_into(path.read_text("utf-8"), part))
