"""Reads the windows of a prediction from new rows of the series that a model was trained on, and names each of them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ...data.series.columns import SeriesColumns, read_rows, rows_of
from ...data.series.rows import SeriesRows
from ...data.series.windows import Windowing
from ...data.sources.files import read_array
from ...errors import DataError
from .series_record import SeriesRecord

if TYPE_CHECKING:
    import polars


def read_windows(record: SeriesRecord, path: Path, *, every_window: bool) -> tuple[np.ndarray, list[dict[str, Any]]]:
    """Read the windows of a file, and what names each; see `inputs.read_named`.

    An `.npy` array (windows, window, columns) holds windows; they have no names.

    Raises:
        DataError: the file cannot be read, lacks a column, or a series is shorter than the window.
    """
    if path.suffix.lower() == ".npy" and (windows := read_array(path)).ndim == 3:
        return windows, []
    return _windows(record, read_rows(path, _columns(record)), str(path), every_window)


def windows_of(record: SeriesRecord, frame: polars.DataFrame, where: str) -> tuple[np.ndarray, list[dict[str, Any]]]:
    """Return the last window of each series in a frame, (series, window, columns), and what names each.

    Raises:
        DataError: as `read_windows`.
    """
    return _windows(record, rows_of(frame, where, _columns(record)), where, every_window=False)


def _windows(
    record: SeriesRecord, rows: SeriesRows, where: str, every_window: bool
) -> tuple[np.ndarray, list[dict[str, Any]]]:
    _require_long_enough(where, rows, record.window)
    firsts = rows.bounds[1:] - record.window
    if every_window:
        pairs = zip(rows.bounds[:-1], firsts, strict=True)
        firsts = np.concatenate([np.arange(first, last + 1) for first, last in pairs])
    windows = Windowing(record.window).inputs(rows.values, firsts)
    return windows, [_name(rows, int(last)) for last in firsts + record.window - 1]


def _columns(record: SeriesRecord) -> SeriesColumns:
    return SeriesColumns(record.settings.get("key", ""), record.settings.get("time", ""), record.columns)


def _require_long_enough(where: str, rows: SeriesRows, window: int) -> None:
    for number, length in enumerate(rows.lengths):
        if length < window:
            raise DataError(
                f"{where}: {rows.named(number)} has {length} rows, but the model takes a window of {window}"
            )


def _name(rows: SeriesRows, last: int) -> dict[str, Any]:
    name = rows.names[int(rows.series_of(np.array(last)))]
    return {**({"series": name} if name else {}), "after": rows.time_of(last)}
