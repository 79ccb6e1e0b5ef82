"""Predictions in a notebook: a row for each of the first samples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from xml.etree.ElementTree import Element

from ...notebook.parts import heading, table, text_of

_NUMBERS = ("sample", "probability", "value")
_MOST_VALUES = 8


def predictions_view(entries: Sequence[Any], total: int) -> list[Element]:
    """Return a heading and a table.

    Args:
        entries: of the first samples, as `Predictions.to_json` returns them.
        total: the number of samples.
    """
    cells = [_cells(entry) for entry in entries]
    names = list(dict.fromkeys(name for row in cells for name in row))
    rows = [[place, *map(row.get, names)] for place, row in enumerate(cells)]
    numbers = [name for name in ("sample", *names) if name.rpartition(", ")[2] in _NUMBERS]
    return [heading("Predictions", f"{total:,} samples"), table(("sample", *names), rows, numbers=numbers, total=total)]


def _cells(entry: Any) -> dict[str, object]:
    """Return the cells of a sample by the titles of their columns; of several outputs, each title has its name."""
    if not isinstance(entry, Mapping):
        return {"value": _value(entry)}
    if "probability" in entry:
        return {"label": entry["label"], "probability": entry["probability"]}
    if "shares" in entry:
        return {"shares of the positions": _shares(entry["shares"])}
    return {f"{output}, {title}": cell for output, each in entry.items() for title, cell in _cells(each).items()}


def _value(entry: Any) -> object:
    """Return a value, or as much of an array as fits into a cell."""
    if not isinstance(entry, list):
        return entry
    values = [str(_value(each)) if isinstance(each, list) else text_of(each) for each in entry[:_MOST_VALUES]]
    return "[" + ", ".join(values) + (", …]" if len(entry) > _MOST_VALUES else "]")


def _shares(shares: Mapping[str, float]) -> str:
    """Return the labels with the largest shares."""
    largest = sorted(shares.items(), key=lambda item: -item[1])[:3]
    return ", ".join(f"{label} {share:.0%}" for label, share in largest if share)
