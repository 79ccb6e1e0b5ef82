"""A dataset of time series: a table or arrays over time, cut into windows and the values that follow them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ...errors import DataError
from ...functions import suggest
from ..dataset import SERIES, TEST_SHARE, Dataset, Split, share_of
from ..tables.frames import FRAME, usual_target
from .columns import ENDINGS, SeriesColumns, read_rows, rows_of
from .rows import SeriesRows
from .windows import SeriesWindows, Windowing, share_of_rows

if TYPE_CHECKING:
    import polars


def read_series(
    source: Path | polars.DataFrame,
    window: str,
    horizon: str = "1",
    stride: str = "1",
    target: str = "",
    key: str = "",
    time: str = "",
    test_share: str = str(TEST_SHARE),
) -> Dataset:
    """Read a dataset of time series. The settings are text, as they follow the name of a file.

    Args:
        source: the file of a table, of an `.npy` array (rows,) or (rows, columns), or of `.npz` arrays, which are the
            columns; or a frame.
        window, horizon, stride: see `Windowing`.
        target: the columns to predict, separated by commas; by default `label`, `class`, `target` or `y`, else the
            last.
        key: the column that tells the series apart, if there are several.
        time: the column to sort by; without it the rows are in the order of time.
        test_share: the share of the rows at the end of each series that is its test part.

    Returns:
        Inputs (windows, window, columns) float64, the past of the targets among them. Targets (windows,) float64, with
        axes for a horizon above 1 and for several targets: (windows, horizon, targets).

    Raises:
        DataError: the file is damaged, a setting is wrong, a cell is no number, or no series is long enough.
    """
    if isinstance(source, Path) and source.suffix.lower() not in ENDINGS:
        raise DataError(f"{source}: `window` cuts a table or arrays over time, expected {', '.join(ENDINGS)}")
    windowing = Windowing(count_of("window", window), count_of("horizon", horizon), count_of("stride", stride))
    name = str(source) if isinstance(source, Path) else FRAME
    columns = SeriesColumns(key, time)
    rows = read_rows(source, columns) if isinstance(source, Path) else rows_of(source, name, columns)
    share = share_of(test_share)
    targets = _targets(name, rows, target)
    series = SeriesWindows(rows, windowing, targets, share_of_rows(rows.lengths, share), key, time)
    _require_windows(name, series, share)
    train, test = (Split(*series.samples(starts)) for starts in (series.train_starts, series.test_starts))
    return Dataset(name, train, test if share else None, (), name, kind=SERIES, series=series)


def count_of(setting: str, text: str) -> int:
    """Return the number that a setting such as `window=24` names.

    Raises:
        DataError: it is not a whole number of 1 or more.
    """
    if not text.isdecimal() or int(text) < 1:
        raise DataError(f"{setting}={text}: expected a whole number of rows, 1 or more")
    return int(text)


def _targets(where: str, rows: SeriesRows, target: str) -> tuple[str, ...]:
    if not target:
        return (usual_target(rows.columns) or rows.columns[-1],)
    names = tuple(name.strip() for name in target.split(","))
    for name in names:
        if name not in rows.columns:
            listed = ", ".join(rows.columns)
            raise DataError(
                f"{where}: target={name}: no such column of numbers ({listed}){suggest(name, list(rows.columns))}"
            )
    if len(set(names)) < len(names):
        raise DataError(f"{where}: target={target} names a column twice")
    return names


def _require_windows(where: str, series: SeriesWindows, test_share: float) -> None:
    """Raise a DataError if no series is long enough for a window in its training part, or in its test part."""
    parts = {"training": (series.train_starts, series.rows.lengths - series.test_rows)}
    if test_share:
        parts["test"] = (series.test_starts, series.test_rows)
    for part, (starts, lengths) in parts.items():
        if not len(starts):
            raise DataError(
                f"{where}: the {part} part of its longest series has {lengths.max()} rows, and a window with its "
                f"horizon takes {series.windowing.span}: choose a smaller `window`, or another `test_share`"
            )
