"""A section of a document that a command generates, between two lines that mark its place."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ..errors import DataError
from .atomic import write_text
from .regular_file import read_regular


@dataclass(frozen=True)
class GeneratedSection:
    """The two marks around a generated section; the text between them is replaced.

    Attributes:
        begin, end: the marks, a line each.
    """

    begin: str
    end: str

    def render(self, *lines: str) -> str:
        """Return the section: the lines between the marks, with an empty line on either side."""
        return "\n".join([self.begin, "", *lines, "", self.end])

    def insert_into(self, text: str, part: str) -> str:
        """Return the text with `part`, which includes the marks, in place of its old section.

        Raises:
            DataError: the text does not contain the marks.
        """
        before, begin, rest = text.partition(self.begin)
        _, end, after = rest.partition(self.end)
        if not begin or not end:
            raise DataError(f"no place for the generated section: expected the lines {self.begin} and {self.end}")
        return before + part + after

    def require_place(self, path: Path) -> None:
        """Raise a DataError, before anything is measured, if a file does not contain the marks."""
        self.insert_into(read_regular(path).decode(), "")

    def write(self, path: Path, part: str) -> None:
        """Replace the section in a file, completely or not at all; raises as `insert_into`."""
        write_text(path, self.insert_into(read_regular(path).decode(), part))

    def write_or_print(self, path: Path | None, part: str) -> None:
        """Replace the section in a file, or print it where no file is named."""
        if path is None:
            print(part)
        else:
            self.write(path, part)
