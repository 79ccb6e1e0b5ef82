"""Plot what fitted regressors predict over one feature, beside the points that they were fitted to."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.figure import Figure

from ...errors import DataError
from .style import DATA, TRAINING, VALIDATION, grid_of, save, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_COLUMNS = 4
_MARGIN = 0.05  # beside the points, as a fraction of their range
_ROOM = 0.25  # above and below them: a curve that swings wide is cut there
_PLACES = 400


def regression_lines(
    estimators: Any,
    X: Any,  # noqa: N803 - scikit-learn's name
    y: Any,
    path: Path | str,
    *,
    curve: Callable[[np.ndarray], Any] | None = None,
    title: str = "",
) -> None:
    """Plot the lines or curves that fitted regressors predict, one plot for each, with their RMS errors.

    Args:
        estimators: a fitted estimator of one feature, such as `Ridge` or a pipeline with `PolynomialFeatures`; or
            several by the names that stand above their plots.
        X: (n, 1) or (n,) samples to show.
        y: (n,) their values.
        path: of the PNG file.
        curve: the function of x without noise that the values come from, drawn too: it takes and returns (m,) values.
        title: of the figure.

    Raises:
        DataError: the samples have more than one column, or not a value each; an estimator predicts several values.
        OutputError: the file cannot be written.

    Example:
        >>> from sklearn.linear_model import Ridge
        >>> from sklearn.pipeline import make_pipeline
        >>> from sklearn.preprocessing import PolynomialFeatures
        >>> x = np.linspace(0, 6, 40)[:, None]
        >>> y = np.sin(x[:, 0])
        >>> by_degree = {f"degree {n}": make_pipeline(PolynomialFeatures(n), Ridge()).fit(x, y) for n in (1, 2, 5)}
        >>> trivium.plots.regression_lines(by_degree, x, y, "lines.png", curve=np.sin)
    """
    column, values = _column_of(X), np.asarray(y, "float64")
    if values.shape != column.shape:
        raise DataError(f"expected a value for each of the {len(column)} samples, received {values.shape}")
    named = estimators if isinstance(estimators, Mapping) else {"": estimators}
    width = 6.0 if len(named) == 1 else 3.6
    margin = _MARGIN * (np.ptp(column) or 1.0)
    places = np.linspace(column.min() - margin, column.max() + margin, _PLACES)
    with style():
        fig, axes = grid_of(len(named), _COLUMNS, (width, 0.8 * width))
        for place, (name, estimator) in zip(axes, named.items(), strict=True):
            _draw_points(place, column, values)
            if curve is not None:
                place.plot(places, np.asarray(curve(places)), color=TRAINING, linestyle="--", label="without noise")
            place.plot(places, _predict(estimator, places), color=VALIDATION, linewidth=2, label="predicted")
            error = math.sqrt(np.mean(np.square(_predict(estimator, column) - values)))
            place.set_title(f"{name}: RMS error {error:.3g}" if name else f"RMS error {error:.3g}")
        _finish(fig, axes, title)
        save(fig, Path(path))


def _column_of(values: Any) -> np.ndarray:
    array = np.asarray(values, "float64")
    if array.ndim not in (1, 2) or not array.size or array.size != len(array):
        raise DataError(f"a line is drawn over one feature: expected samples (n, 1), received {array.shape}")
    return array.reshape(-1)


def _predict(estimator: Any, column: np.ndarray) -> np.ndarray:
    predicted = np.asarray(estimator.predict(column[:, None]))
    if predicted.size != len(column):
        raise DataError(f"expected an estimator of one value, received {predicted.shape} for {len(column)} samples")
    return predicted.reshape(-1)


def _draw_points(axes: Axes, column: np.ndarray, values: np.ndarray) -> None:
    axes.scatter(column, values, s=14, color=DATA, alpha=0.7, linewidths=0, label="data")
    room = _ROOM * (np.ptp(values) or 1.0)
    axes.set(ylim=(values.min() - room, values.max() + room), xlabel="x")


def _finish(fig: Figure, axes: list[Axes], title: str) -> None:
    axes[0].set_ylabel("y")
    handles, labels = axes[0].get_legend_handles_labels()
    fig.legend(handles, labels, loc="outside lower center", ncols=len(labels), frameon=False)
    fig.suptitle(title)
