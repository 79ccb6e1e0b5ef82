"""Plots of time series: the parts of the data, and the forecasts of a test part over its values."""

from __future__ import annotations

from collections.abc import Iterator
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


def parts(series: SeriesWindows, path: Path, *, title: str) -> None:
    """Plot the targets of each series over time, its training part and its test part in two colours."""
    with style():
        fig, panels = _panels(series, title)
        for axes, number, target in panels:
            first, middle, end = series.part_bounds(number)
            for name, colour, rows in (("train", TRAINING, (first, middle)), ("test", VALIDATION, (middle, end))):
                if rows[0] < rows[1]:
                    axes.plot(
                        _times(series, number, np.arange(*rows)), _values(series, target, *rows), colour, label=name
                    )
            axes.legend(loc="upper left")
        save(fig, path)


def forecasts(series: SeriesWindows, predicted: np.ndarray, path: Path, *, title: str) -> None:
    """Plot forecasts over the values of the test part. Of windows whose forecasts overlap, only some are drawn.

    Args:
        predicted: (test windows, …) on the scale of the raw data, in the order of the test samples.
    """
    horizon, window = series.windowing.horizon, series.windowing.window
    shaped = predicted.reshape(len(predicted), horizon, len(series.targets))
    with style():
        fig, panels = _panels(series, title)
        for axes, number, target in panels:
            _, middle, end = series.part_bounds(number)
            axes.plot(
                _times(series, number, np.arange(middle, end)),
                _values(series, target, middle, end),
                color=DATA,
                linewidth=3,
                alpha=0.6,
                label="data",
            )
            chosen = _without_overlap(series, number)
            rows = series.test_starts[chosen, None] + window + np.arange(horizon)
            lines = shaped[chosen, :, target]
            if horizon > 1:  # a gap after each forecast, so that its first step can be seen
                rows, lines = (
                    np.pad(rows, ((0, 0), (0, 1)), "edge"),
                    np.pad(lines, ((0, 0), (0, 1)), constant_values=np.nan),
                )
            places = _times(series, number, rows.reshape(-1))
            axes.plot(places, lines.reshape(-1), color=VALIDATION, marker=".", label="forecast")
            axes.legend(loc="upper left")
        save(fig, path)


def _panels(series: SeriesWindows, title: str) -> tuple[Figure, Iterator[tuple[Axes, int, int]]]:
    """Return a figure, and its panels with the number of a series and the place of a target among the targets."""
    every = [(number, place) for number in range(len(series.rows.names)) for place in range(len(series.targets))]
    shown = every[:_MOST_PANELS]
    fig = Figure(figsize=(9, 1.0 + 2.4 * len(shown)), layout="constrained")
    columns = fig.subplots(len(shown), 1, squeeze=False)[:, 0]
    for axes, (number, place) in zip(columns, shown, strict=True):
        name = series.rows.names[number]
        axes.set(ylabel=series.targets[place], title=f"{series.key} {name}" if name else "")
        _show_dates(axes, series)
    columns[-1].set_xlabel(series.time or "step")
    left_out = f" ({len(shown)} of {len(every)})" if len(shown) < len(every) else ""
    fig.suptitle(title + left_out)
    return fig, ((axes, *places) for axes, places in zip(columns, shown, strict=True))


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


def _without_overlap(series: SeriesWindows, number: int) -> np.ndarray:
    """Return the test windows of a series whose forecasts do not overlap, as places among all test windows."""
    of_series = np.flatnonzero(series.rows.series_of(series.test_starts) == number)
    every = -(-series.windowing.horizon // series.windowing.stride)
    return np.asarray(of_series[::every])
