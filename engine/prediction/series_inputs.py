"""Reads the windows of a prediction from new rows of the series that a model was trained on, and names each of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ...data.series.columns import SeriesColumns, read_rows
from ...data.series.rows import SeriesRows
from ...data.sources.files import read_array
from ...errors import DataError
from .series_record import SeriesRecord


def read_windows(record: SeriesRecord, path: Path, *, every_window: bool) -> tuple[np.ndarray, list[dict[str, Any]]]:
    """Read the windows of a file, and what names each; see `inputs.read_named`.

    An `.npy` array (windows, window, columns) holds windows; they have no names.

    Raises:
        DataError: the file cannot be read, lacks a column, or a series is shorter than the window.
    """
    if path.suffix.lower() == ".npy" and (windows := read_array(path)).ndim == 3:
        return windows, []
    settings = record.settings
    rows = read_rows(path, SeriesColumns(settings.get("key", ""), settings.get("time", ""), record.columns))
    _require_long_enough(path, rows, record.window)
    firsts = rows.bounds[1:] - record.window
    if every_window:
        pairs = zip(rows.bounds[:-1], firsts, strict=True)
        firsts = np.concatenate([np.arange(first, last + 1) for first, last in pairs])
    windows = rows.values[firsts[:, None] + np.arange(record.window)]
    return windows, [_name(rows, int(last)) for last in firsts + record.window - 1]


def _require_long_enough(path: Path, rows: SeriesRows, window: int) -> None:
    for number, length in enumerate(rows.lengths):
        if length < window:
            raise DataError(f"{path}: {rows.named(number)} has {length} rows, but the model takes a window of {window}")


def _name(rows: SeriesRows, last: int) -> dict[str, Any]:
    name = rows.names[int(rows.series_of(np.array(last)))]
    return {**({"series": name} if name else {}), "after": rows.time_of(last)}
