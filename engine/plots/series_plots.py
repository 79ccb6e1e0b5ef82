"""Plots of time series: the parts of the data, and the forecasts of a test part over its values."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure

from ...data.series.windows import SeriesWindows
from .style import DATA, TRAINING, VALIDATION, save, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MOST_PANELS = 6
_MOST_MARKED = 120  # forecasts with a dot at each step


def parts(series: SeriesWindows, path: Path, *, title: str) -> None:
    """Plot the targets of each series over time, its training part and its test part in two colours."""
    with style():
        fig, panels = _panels(series, title)
        for axes, number, target, _ in panels:
            first, middle, end = series.part_bounds(number)
            for name, colour, rows in (("train", TRAINING, (first, middle)), ("test", VALIDATION, (middle, end))):
                if rows[0] < rows[1]:
                    axes.plot(
                        _times(series, number, np.arange(*rows)), _values(series, target, *rows), colour, label=name
                    )
            axes.legend(loc="upper left")
        save(fig, path)


@dataclass(frozen=True)
class ForecastPart:
    """The forecasts of a part of all series.

    Attributes:
        name: of the part.
        starts: (m,) the first row of each window.
        predicted: (m, …) the forecasts after them, on the scale of the raw data.
        begins: (series,) the first row of the part in each series.
    """

    name: str
    starts: np.ndarray
    predicted: np.ndarray
    begins: np.ndarray


def forecasts(series: SeriesWindows, parts: list[ForecastPart], path: Path, *, title: str) -> None:
    """Plot forecasts over the values of parts, side by side, with their RMS errors.

    Of windows whose forecasts overlap, only some are drawn; the error is that of all.
    """
    with style():
        fig, panels = _panels(series, title, [part.name for part in parts])
        for axes, number, target, place in panels:
            _draw_forecasts(axes, series, parts[place], number, target)
            axes.legend(loc="upper left")
        save(fig, path)


def _draw_forecasts(axes: Axes, series: SeriesWindows, part: ForecastPart, number: int, target: int) -> None:
    horizon, window = series.windowing.horizon, series.windowing.window
    own = np.flatnonzero(series.rows.series_of(part.starts) == number)
    if not len(own):
        return
    rows = part.starts[own, None] + window + np.arange(horizon)
    lines = part.predicted.reshape(len(part.starts), horizon, len(series.targets))[own, :, target]
    shown = np.arange(part.begins[number], rows.max() + 1)
    values = _values(series, target, int(shown[0]), int(shown[-1]) + 1)
    axes.plot(_times(series, number, shown), values, color=DATA, linewidth=3, alpha=0.6, label="data")
    rms = float(np.sqrt(np.mean(np.square(lines - values[rows - shown[0]]))))
    axes.set_title(f"{axes.get_title()}: RMS error {rms:.4g}", fontsize=10)
    every = -(-horizon // series.windowing.stride)  # forecasts that do not overlap
    rows, lines = rows[::every], lines[::every]
    if horizon > 1:  # a gap after each forecast, so that its first step can be seen
        rows = np.pad(rows, ((0, 0), (0, 1)), "edge")
        lines = np.pad(lines, ((0, 0), (0, 1)), constant_values=np.nan)
    places = _times(series, number, rows.reshape(-1))
    marker = "." if len(rows) <= _MOST_MARKED else None
    axes.plot(places, lines.reshape(-1), color=VALIDATION, marker=marker, label="forecast")


def _panels(
    series: SeriesWindows, title: str, parts: Sequence[str] = ("",)
) -> tuple[Figure, Iterator[tuple[Axes, int, int, int]]]:
    """Return a figure with a row for each series and target, and a column for each part.

    Each panel comes with the number of the series, the place of the target among the targets, and that of the part.
    """
    every = [(number, place) for number in range(len(series.rows.names)) for place in range(len(series.targets))]
    shown = every[:_MOST_PANELS]
    fig = Figure(figsize=(9 if len(parts) == 1 else 6.5 * len(parts), 1.0 + 2.4 * len(shown)), layout="constrained")
    grid = fig.subplots(len(shown), len(parts), squeeze=False)
    for (row, column), axes in np.ndenumerate(grid):
        number, place = shown[row]
        name = f"{series.key} {series.rows.names[number]}" if series.rows.names[number] else ""
        heading = ", ".join(text for text in (name, parts[column]) if text)
        axes.set(ylabel=series.targets[place] if column == 0 else "", title=heading)
        _show_dates(axes, series)
    for axes in grid[-1]:
        axes.set_xlabel(series.time or "step")
    left_out = f" ({len(shown)} of {len(every)})" if len(shown) < len(every) else ""
    fig.suptitle(title + left_out)
    return fig, ((axes, *shown[row], column) for (row, column), axes in np.ndenumerate(grid))


def _show_dates(axes: Axes, series: SeriesWindows) -> None:
    """Let the axis of time show dates without repeating the year and month at each."""
    if series.rows.times is not None and series.rows.times.dtype.kind == "M":
        locator = AutoDateLocator()  # type: ignore[no-untyped-call]
        axes.xaxis.set_major_locator(locator)
        axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))  # type: ignore[no-untyped-call]


def _times(series: SeriesWindows, number: int, rows: np.ndarray) -> np.ndarray:
    """Return the places of rows on the axis of time: their times, or their numbers in the series from 1."""
    times = series.rows.times
    return np.asarray(rows - series.rows.bounds[number] + 1 if times is None else times[rows])


def _values(series: SeriesWindows, target: int, first: int, end: int) -> np.ndarray:
    return np.asarray(series.rows.values[first:end, series.target_places[target]])
