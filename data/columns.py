"""A column of a table, whose cells are numbers: a word by its place among the words of the column."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

# What a target is.
CLASSIFICATION, REGRESSION = "classification", "regression"
TASKS = (CLASSIFICATION, REGRESSION)

NUMBER, WORDS, DATE, BOOLEAN, TEXT = "number", "words", "date", "boolean", "text"
# The code of a word that the column did not have when the table was read for training.
UNKNOWN = -1


@dataclass(frozen=True)
class Column:
    """A column of a table.

    Attributes:
        name: from the header.
        kind: `NUMBER`, `WORDS`, `DATE` or `BOOLEAN`; `TEXT` for sentences, which are read as their characters.
        words: in alphabetical order; the code of a word is its place. Empty for other kinds.
    """

    name: str
    kind: str = NUMBER
    words: tuple[str, ...] = ()


def to_column(value: Column | Mapping[str, Any]) -> Column:
    """Return a column, also of its JSON in a bundle."""
    if isinstance(value, Column):
        return value
    return Column(value["name"], value["kind"], tuple(value["words"]))
