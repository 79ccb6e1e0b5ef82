"""Plot what a classifier decides by over two features: as a surface in three dimensions, and from above."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from ...errors import OptionError
from .decision_boundary import (
    Answers,
    answers_of,
    classes_of,
    draw_points,
    draw_values,
    grid_axes,
    points_in_plane,
    range_of_values,
)
from .style import CLASSES, save, style

_ELEVATION, _AZIMUTH = 28, -60  # degrees
_MOST_LINES = 40  # of the surface's mesh along an axis


def decision_surface(
    estimator: Any,
    X: Any,  # noqa: N803 - scikit-learn's name
    y: Any,
    path: Path | str,
    *,
    title: str = "",
    resolution: int = 120,
    limits: Sequence[float] | None = None,
    view: tuple[float, float] = (_ELEVATION, _AZIMUTH),
) -> None:
    """Plot the decision function of a fitted classifier as a surface over the plane, and beside it from above.

    It is the decision function where there is one, else the probability: of the second of two classes, or of the
    likeliest class. The samples lie below the surface.

    Args:
        estimator: a classifier fitted on two columns, a pipeline or a search.
        X: (n, 2) samples to show.
        y: (n,) their labels.
        path: of the PNG file.
        title: of the figure.
        resolution: the number of grid points along each axis.
        limits: the left, right, lower and upper end of what is shown; by default a little more than the samples.
        view: the angles that the surface is seen from, in degrees: above the plane, and around it.

    Raises:
        DataError: the samples do not have two columns.
        OptionError: the estimator has neither a decision function nor probabilities, or the limits are not four
            numbers in their order.
        OutputError: the file cannot be written.

    Example:
        >>> from sklearn.datasets import make_moons
        >>> from sklearn.svm import SVC
        >>> points, moon = make_moons(80, noise=0.1, random_state=0)
        >>> trivium.plots.decision_surface(SVC().fit(points, moon), points, moon, "surface.png")
    """
    points, labels = points_in_plane(X), np.asarray(y)
    first, second = grid_axes(points, resolution, limits)
    classes = classes_of(estimator, labels)
    answers = answers_of(estimator, classes, np.stack(np.meshgrid(first, second), axis=-1), prefer_decisions=True)
    if answers.values is None:
        raise OptionError(
            f"{type(estimator).__name__} has neither a decision function nor probabilities, so there is no surface: "
            "`decision_boundary` draws its regions"
        )
    with style(grid=False):
        fig = Figure(figsize=(12, 5.2), layout="constrained")
        surface: Any = fig.add_subplot(1, 2, 1, projection="3d")
        above = fig.add_subplot(1, 2, 2)
        surface.computed_zorder = False  # what is drawn last is in front: samples, surface, boundary
        _draw_surface(surface, first, second, answers)
        _draw_floor(surface, points, labels, classes)
        surface.view_init(*view)
        contours = draw_values(above, first, second, answers)
        fig.colorbar(contours, ax=above, label=answers.label, format="%.2g")
        draw_points(above, points, labels, classes)
        above.set(xlim=(first[0], first[-1]), ylim=(second[0], second[-1]), title="from above")
        above.legend(framealpha=0.9)
        fig.suptitle(title)
        save(fig, Path(path))


def _draw_surface(axes: Any, first: np.ndarray, second: np.ndarray, answers: Answers) -> None:
    assert answers.values is not None
    low, high = range_of_values(answers)
    span = float(np.ptp(answers.values)) or 1.0
    mesh = {"rcount": _MOST_LINES, "ccount": _MOST_LINES, "linewidth": 0.2, "edgecolor": "#00000030", "alpha": 0.85}
    colours = "viridis" if answers.boundary is None else "RdBu_r"
    plane = np.meshgrid(first, second)
    axes.plot_surface(*plane, answers.values, cmap=colours, vmin=low, vmax=high, zorder=2, **mesh)
    if answers.boundary is not None:
        axes.contour(*plane, answers.values, levels=[answers.boundary], colors="black", linewidths=2, zorder=3)
    axes.set(
        xlabel="first column", ylabel="second column", zlim=(answers.values.min() - span / 2, answers.values.max())
    )
    axes.set_title("decision function" if answers.limits is None else "probability")


def _draw_floor(axes: Any, points: np.ndarray, labels: np.ndarray, classes: Sequence[Any]) -> None:
    """Draw the samples below the surface."""
    floor = axes.get_zlim()[0]
    for number, name in enumerate(classes):
        members = points[labels == name]
        axes.scatter(*members.T, floor, s=8, color=CLASSES[number % len(CLASSES)], depthshade=False, zorder=1)
