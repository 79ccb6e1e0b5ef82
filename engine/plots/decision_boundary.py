"""Plot the decision boundaries of a classifier, and its confidence."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ...errors import DataError
from .style import figure, save, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Colours of the classes, distinguishable for the colour-blind (Okabe and Ito, 2008).
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#F0E442", "#7f7f7f")
_MARGIN = 0.08  # around the data, as a fraction of their range


def decision_boundary(
    estimator: Any,
    X: Any,  # noqa: N803 - scikit-learn's name
    y: Any,
    path: Path | str,
    *,
    title: str = "",
    resolution: int = 200,
) -> None:
    """Plot the regions that a fitted classifier assigns to its classes, and beside them its confidence.

    Args:
        estimator: a classifier or pipeline, fitted on two columns, with `predict_proba` and `classes_`.
        X: (n, 2) samples to show.
        y: (n,) their labels.
        path: of the PNG file.
        title: of the figure.
        resolution: the number of grid points along each axis.

    Raises:
        DataError: the samples do not have two columns.
        OutputError: the file cannot be written.
    """
    points, labels = np.asarray(X, "float64"), np.asarray(y)
    if points.ndim != 2 or points.shape[1] != 2:
        raise DataError(f"a decision boundary is drawn in the plane: expected samples (n, 2), received {points.shape}")
    first, second = _grid_axes(points, resolution)
    grid = np.stack(np.meshgrid(first, second), axis=-1)
    probabilities = estimator.predict_proba(grid.reshape(-1, 2)).reshape(resolution, resolution, -1)
    with style(grid=False):
        fig, (regions, surface) = figure(2, width=5.6)
        _draw_regions(regions, first, second, probabilities)
        contours = _draw_confidence(surface, first, second, probabilities)
        is_binary = probabilities.shape[-1] == 2
        label = f"probability of {estimator.classes_[1]}" if is_binary else "probability of the likeliest class"
        fig.colorbar(contours, ax=surface, label=label, ticks=np.linspace(0, 1, 5) if is_binary else None)
        for axes in (regions, surface):
            for number, name in enumerate(estimator.classes_):
                members = points[labels == name]
                colour = _COLOURS[number % len(_COLOURS)]
                axes.scatter(
                    members[:, 0], members[:, 1], s=14, color=colour, edgecolor="white", linewidth=0.5, label=str(name)
                )
            axes.set(xlabel="first column", ylabel="second column")
        regions.set_title("regions")
        regions.legend(framealpha=0.9)
        surface.set_title("confidence")
        fig.suptitle(title)
        save(fig, Path(path))


def _grid_axes(points: np.ndarray, resolution: int) -> tuple[np.ndarray, np.ndarray]:
    low, high = points.min(axis=0), points.max(axis=0)
    margin = _MARGIN * np.maximum(high - low, np.finfo("float32").eps)
    first, second = np.linspace(low - margin, high + margin, resolution).T
    return first, second


def _draw_regions(axes: Axes, first: np.ndarray, second: np.ndarray, probabilities: np.ndarray) -> None:
    count = probabilities.shape[-1]
    colours = [_COLOURS[number % len(_COLOURS)] for number in range(count)]
    levels = np.arange(count + 1) - 0.5
    axes.contourf(first, second, probabilities.argmax(axis=-1), levels=levels, colors=colours, alpha=0.3)


def _draw_confidence(axes: Axes, first: np.ndarray, second: np.ndarray, probabilities: np.ndarray) -> Any:
    """Draw the probability of the second of two classes, with the boundary; or else that of the most probable class."""
    if probabilities.shape[-1] == 2:
        confidence = probabilities[..., 1]
        contours = axes.contourf(first, second, confidence, levels=np.linspace(0, 1, 21), cmap="RdBu_r")
        axes.contour(first, second, confidence, levels=[0.5], colors="black", linewidths=1.2)
        return contours
    return axes.contourf(first, second, probabilities.max(axis=-1), levels=20, cmap="viridis")
