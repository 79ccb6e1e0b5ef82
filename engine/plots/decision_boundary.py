"""Pictures of where a classifier draws its lines, and how sure it is between them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ...errors import DataError
from .style import figure, save, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Of the classes, apart also for the colour-blind (Okabe and Ito, 2008).
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#F0E442", "#7f7f7f")
_MARGIN = 0.08  # of the data's range, on each side


def decision_boundary(
    estimator: Any,
    X: Any,  # noqa: N803 - scikit-learn's name
    y: Any,
    path: Path | str,
    *,
    title: str = "",
    resolution: int = 200,
) -> None:
    """What a fitted classifier says at every place of the plane: its regions, and beside them its confidence.

    Args:
        estimator: fitted on two columns, a pipeline perhaps, with `predict_proba` and `classes_`.
        X: (n, 2) samples to show.
        y: (n,) their labels.
        path: of the PNG.
        title: above the picture.
        resolution: places along each side.

    Raises:
        DataError: the samples do not have two columns.
        OutputError: the file cannot be written.
    """
    points, labels = np.asarray(X, "float64"), np.asarray(y)
    if points.ndim != 2 or points.shape[1] != 2:
        raise DataError(f"a decision boundary is drawn in the plane: expected samples (n, 2), received {points.shape}")
    first, second = _sides(points, resolution)
    places = np.stack(np.meshgrid(first, second), axis=-1)
    probabilities = estimator.predict_proba(places.reshape(-1, 2)).reshape(resolution, resolution, -1)
    with style(grid=False):
        drawn, (regions, surface) = figure(2, width=5.6)
        _regions(regions, first, second, probabilities)
        shown = _surface(surface, first, second, probabilities)
        two = probabilities.shape[-1] == 2
        label = f"probability of {estimator.classes_[1]}" if two else "probability of the likeliest class"
        drawn.colorbar(shown, ax=surface, label=label, ticks=np.linspace(0, 1, 5) if two else None)
        for axes in (regions, surface):
            for number, name in enumerate(estimator.classes_):
                chosen = points[labels == name]
                colour = _COLOURS[number % len(_COLOURS)]
                axes.scatter(
                    chosen[:, 0], chosen[:, 1], s=14, color=colour, edgecolor="white", linewidth=0.5, label=str(name)
                )
            axes.set(xlabel="first column", ylabel="second column")
        regions.set_title("regions")
        regions.legend(framealpha=0.9)
        surface.set_title("confidence")
        drawn.suptitle(title)
        save(drawn, Path(path))


def _sides(points: np.ndarray, resolution: int) -> tuple[np.ndarray, np.ndarray]:
    low, high = points.min(axis=0), points.max(axis=0)
    margin = _MARGIN * np.maximum(high - low, np.finfo("float32").eps)
    first, second = np.linspace(low - margin, high + margin, resolution).T
    return first, second


def _regions(axes: Axes, first: np.ndarray, second: np.ndarray, probabilities: np.ndarray) -> None:
    count = probabilities.shape[-1]
    colours = [_COLOURS[number % len(_COLOURS)] for number in range(count)]
    levels = np.arange(count + 1) - 0.5
    axes.contourf(first, second, probabilities.argmax(axis=-1), levels=levels, colors=colours, alpha=0.3)


def _surface(axes: Axes, first: np.ndarray, second: np.ndarray, probabilities: np.ndarray) -> Any:
    """Of two classes the probability of the second, with the boundary drawn in; of more that of the likeliest."""
    if probabilities.shape[-1] == 2:
        confidence = probabilities[..., 1]
        shown = axes.contourf(first, second, confidence, levels=np.linspace(0, 1, 21), cmap="RdBu_r")
        axes.contour(first, second, confidence, levels=[0.5], colors="black", linewidths=1.2)
        return shown
    return axes.contourf(first, second, probabilities.max(axis=-1), levels=20, cmap="viridis")
