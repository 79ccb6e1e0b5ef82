"""Summarises time series before training: how they are cut into windows, and which time each part covers."""

from __future__ import annotations

from typing import Any

from ...data.series.windows import SeriesWindows

_MOST_LISTED = 20


def summarize_series(series: SeriesWindows) -> dict[str, Any]:
    """Return what a person should see of series before training, as JSON.

    Returns:
        The record that a run has (see `SeriesWindows.describe`), and `parts`: for the first series `series`, `part`,
        `rows`, and the times of the first and the last row, `first` and `last`, which are numbers of rows where no
        column says the time.
    """
    listed = range(min(_MOST_LISTED, len(series.rows.names)))
    return {
        **series.describe(),
        "parts": [part for number in listed for part in _parts(series, number)],
    }


def _parts(series: SeriesWindows, number: int) -> list[dict[str, Any]]:
    begin, middle, stop = series.part_bounds(number)
    rows = series.rows
    return [
        {
            "series": rows.names[number],
            "part": part,
            "rows": end - first,
            "first": rows.time_of(first),
            "last": rows.time_of(end - 1),
        }
        for part, first, end in (("train", begin, middle), ("test", middle, stop))
        if first < end
    ]
