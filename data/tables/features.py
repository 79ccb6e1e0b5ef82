"""Chooses the columns of a table that a model reads, and says why the others are left out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...errors import DataError
from ..columns import TEXT, WORDS, Column
from . import frames
from .encoded_rows import encoded_pieces
from .formatted_numbers import formatted_number
from .survey import Survey, survey
from .table import Table

# Columns of these names that count the rows say nothing about a row.
_INDEX_NAMES = ("", "index", "id", "row", "unnamed: 0")
# A column of words is left out where almost every cell differs, as names and addresses do.
_MOST_DISTINCT = 0.9
_FEWEST_DISTINCT = 50

Features = tuple[tuple[Survey, ...], tuple[str, ...]]


def choose_features(table: Table, names: Sequence[str], text: str) -> Features:
    """Return what the columns hold that a model reads, and a sentence for those that are left out.

    Args:
        table: the table.
        names: of its columns without the targets.
        text: the column of sentences to read alone; empty for the rule.

    Raises:
        DataError: no column is left, or there is no column of the name `text`, or sentences are to stay in their file.
    """
    if text:
        frames.require_columns(table.name, names, [text])
    surveys = [] if text else survey(table, names)
    sentences = text or _only_sentences(table, surveys)
    if not sentences:
        return _informative(table, surveys)
    if table.is_stored:
        raise DataError(f"{table.name}: the sentences in {sentences!r} are read in memory: load them by `stored=no`")
    others = ", ".join(repr(name) for name in names if name != sentences)
    note = f"Left out, because {sentences!r} alone is read: {others}."
    return (Survey(Column(sentences, TEXT)),), (note,) if others else ()


def _only_sentences(table: Table, surveys: Sequence[Survey]) -> str:
    """Return the name of the column of sentences where no other says anything about a row; else an empty string."""
    fewest = _MOST_DISTINCT * table.rows
    sentences = [entry for entry in surveys if _is_word(entry) and entry.distinct >= fewest and entry.are_sentences]
    if len(sentences) != 1:
        return ""
    others = [entry for entry in surveys if entry is not sentences[0]]
    return sentences[0].column.name if all(_why_left_out(table, entry) for entry in others) else ""


def _informative(table: Table, surveys: Sequence[Survey]) -> Features:
    """Return the columns that say something about a row, and a sentence for each other one.

    Raises:
        DataError: no column is left, or one has more words than the memory takes.
    """
    reasons = {entry.column.name: _why_left_out(table, entry) for entry in surveys}
    informative = tuple(entry for entry in surveys if not reasons[entry.column.name])
    if not informative:
        raise DataError(f"{table.name}: no column can be learned from ({'; '.join(filter(None, reasons.values()))})")
    for entry in informative:
        if _is_word(entry) and entry.distinct > len(entry.column.words):
            raise DataError(
                f"{table.name}: {frames.titled(entry.column.name)} holds {entry.distinct:,} different words, too many "
                "for features: leave the column out"
            )
    left_out = [f"Column {name!r} is left out: {reason}." for name, reason in reasons.items() if reason]
    numbers = {entry.column.name: formatted_number(entry.column.words) for entry in surveys if _is_word(entry)}
    return informative, (*left_out, *(_format_note(name, word) for name, word in numbers.items() if word))


def _why_left_out(table: Table, entry: Survey) -> str:
    """Return why a column says nothing about a row, or an empty string."""
    name = entry.column.name
    if _is_empty(table, name):
        return "it is empty"
    if name.lower() in _INDEX_NAMES and _counts_rows(table, entry):
        return "it counts the rows"
    if _is_word(entry) and entry.distinct >= max(_FEWEST_DISTINCT, _MOST_DISTINCT * table.rows):
        hint = f"; `text` {name} reads its sentences" if entry.are_sentences else ""
        return f"{entry.distinct:,} of its {table.rows:,} cells differ{hint}"
    return ""


def _format_note(name: str, word: str) -> str:
    return f"Column {name!r} holds words such as {word!r}: to read numbers, write them without separators and units."


def _is_word(entry: Survey) -> bool:
    return entry.column.kind == WORDS


def _is_empty(table: Table, name: str) -> bool:
    return all(piece[name].null_count() == len(piece) for _, piece in table.pieces([name]))


def _counts_rows(table: Table, entry: Survey) -> bool:
    """Return whether the cells are 0, 1, … or 1, 2, …"""
    first = None
    for start, piece in encoded_pieces(table, [entry]):
        cells = piece[:, 0]
        first = cells[0] if first is None else first
        if first not in (0, 1) or not (cells - first == np.arange(start, start + len(cells))).all():
            return False
    return True
