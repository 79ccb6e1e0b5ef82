"""A column of a table, whose cells are numbers: a word by its place among the words of the column."""

from __future__ import annotations

from dataclasses import dataclass

# What a target is.
CLASSIFICATION, REGRESSION = "classification", "regression"
TASKS = (CLASSIFICATION, REGRESSION)

NUMBER, WORDS, DATE, BOOLEAN = "number", "words", "date", "boolean"
# The code of a word that the column did not have when the table was read for training.
UNKNOWN = -1


@dataclass(frozen=True)
class Column:
    """A column of a table.

    Attributes:
        name: from the header.
        kind: `NUMBER`, `WORDS`, `DATE` or `BOOLEAN`.
        words: in alphabetical order; the code of a word is its place. Empty for other kinds.
    """

    name: str
    kind: str = NUMBER
    words: tuple[str, ...] = ()
