"""Plot the decision boundaries of a classifier, and how sure it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ...errors import DataError, OptionError
from .style import CLASSES, figure, save, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MARGIN = 0.08  # around the data, as a fraction of their range


@dataclass(frozen=True)
class Answers:
    """What a classifier says of each place of a grid.

    Attributes:
        regions: (n, n) the number of the class.
        values: (n, n) how sure it is, or what decides between two classes; None if the classifier does not tell.
        label: what the values are.
        boundary: the value between two classes; None if there are more.
        limits: the least and the greatest value; None for those that occur.
    """

    regions: np.ndarray
    values: np.ndarray | None
    label: str
    boundary: float | None = None
    limits: tuple[float, float] | None = None


def decision_boundary(
    estimator: Any,
    X: Any,  # noqa: N803 - scikit-learn's name
    y: Any,
    path: Path | str,
    *,
    title: str = "",
    resolution: int = 200,
    limits: Sequence[float] | None = None,
) -> None:
    """Plot the regions that a fitted classifier assigns to its classes, and beside them what they are decided by.

    That is the probability, or else the decision function, or nothing: a clustering such as `KMeans` has regions only.

    Args:
        estimator: fitted on two columns: a classifier, a pipeline, a search, or a clustering that predicts.
        X: (n, 2) samples to show.
        y: (n,) their labels.
        path: of the PNG file.
        title: of the figure.
        resolution: the number of grid points along each axis.
        limits: the left, right, lower and upper end of what is shown; by default a little more than the samples.

    Raises:
        DataError: the samples do not have two columns.
        OptionError: the limits are not four numbers in their order.
        OutputError: the file cannot be written.
    """
    points, labels = points_in_plane(X), np.asarray(y)
    first, second = grid_axes(points, resolution, limits)
    classes = classes_of(estimator, labels)
    grid = np.stack(np.meshgrid(first, second), axis=-1)
    answers = answers_of(estimator, classes, grid)
    with style(grid=False):
        fig, panels = figure(1 if answers.values is None else 2, width=5.6)
        _draw_regions(panels[0], first, second, answers.regions)
        if answers.values is not None:
            contours = draw_values(panels[1], first, second, answers)
            fig.colorbar(contours, ax=panels[1], label=answers.label, format="%.2g")
            panels[1].set_title("confidence" if answers.limits else "decision function")
        for axes in panels:
            draw_points(axes, points, labels, classes)
            axes.set(xlim=(first[0], first[-1]), ylim=(second[0], second[-1]))
        panels[0].set_title("regions")
        panels[0].legend(framealpha=0.9)
        fig.suptitle(title)
        save(fig, Path(path))


def points_in_plane(X: Any) -> np.ndarray:  # noqa: N803
    """Return samples as floats, or raise a DataError unless they have two columns."""
    points = np.asarray(X, "float64")
    if points.ndim != 2 or points.shape[1] != 2:
        raise DataError(f"a decision boundary is drawn in the plane: expected samples (n, 2), received {points.shape}")
    return points


def grid_axes(points: np.ndarray, resolution: int, limits: Sequence[float] | None) -> tuple[np.ndarray, np.ndarray]:
    """Return the places of a grid on both axes; see `decision_boundary`."""
    if limits is not None:
        values = np.asarray(limits, "float64")
        if values.shape != (4,) or not (values[0] < values[1] and values[2] < values[3]):
            raise OptionError(f"`limits`: expected (left, right, lower, upper), each pair in its order: {limits!r}")
        low, high, margin = values[[0, 2]], values[[1, 3]], np.zeros(2)
    else:
        low, high = points.min(axis=0), points.max(axis=0)
        margin = _MARGIN * np.maximum(high - low, np.finfo("float32").eps)
    first, second = np.linspace(low - margin, high + margin, resolution).T
    return first, second


def classes_of(estimator: Any, labels: np.ndarray) -> list[Any]:
    """Return the classes of an estimator, or those that occur where it knows of none."""
    return list(estimator.classes_) if hasattr(estimator, "classes_") else list(np.unique(labels).tolist())


def answers_of(estimator: Any, classes: Sequence[Any], grid: np.ndarray, *, prefer_decisions: bool = False) -> Answers:
    """Return the answers for a grid of places (n, n, 2), by probabilities where there are any.

    Args:
        prefer_decisions: by the decision function, where there is one.
    """
    places, shape = grid.reshape(-1, 2), grid.shape[:2]
    decides = hasattr(estimator, "decision_function")
    if hasattr(estimator, "predict_proba") and not (decides and prefer_decisions):
        probabilities = np.asarray(estimator.predict_proba(places)).reshape(*shape, -1)
        regions = probabilities.argmax(axis=-1)
        if probabilities.shape[-1] == 2:
            return Answers(regions, probabilities[..., 1], f"probability of {classes[1]}", 0.5, (0, 1))
        return Answers(regions, probabilities.max(axis=-1), "probability of the likeliest class", None, (0, 1))
    if decides:
        decisions = np.asarray(estimator.decision_function(places)).reshape(*shape, -1)
        if decisions.shape[-1] == 1:
            values = decisions[..., 0]
            return Answers((values > 0).astype(int), values, f"above 0: {classes[1]}", 0.0)
        return Answers(decisions.argmax(axis=-1), decisions.max(axis=-1), "that of the chosen class")
    predicted = np.asarray(estimator.predict(places))
    numbers = {name: number for number, name in enumerate(np.unique(predicted))}
    return Answers(np.array([numbers[name] for name in predicted]).reshape(shape), None, "")


def draw_points(axes: Axes, points: np.ndarray, labels: np.ndarray, classes: Sequence[Any]) -> None:
    """Draw the samples of each class in its colour."""
    for number, name in enumerate(classes):
        members, colour = points[labels == name], CLASSES[number % len(CLASSES)]
        axes.scatter(
            members[:, 0], members[:, 1], s=14, color=colour, edgecolor="white", linewidth=0.5, label=str(name)
        )
    axes.set(xlabel="first column", ylabel="second column")


def _draw_regions(axes: Axes, first: np.ndarray, second: np.ndarray, regions: np.ndarray) -> None:
    count = int(regions.max()) + 1
    colours = [CLASSES[number % len(CLASSES)] for number in range(count)]
    axes.contourf(first, second, regions, levels=np.arange(count + 1) - 0.5, colors=colours, alpha=0.3)


def draw_values(axes: Axes, first: np.ndarray, second: np.ndarray, answers: Answers) -> Any:
    """Draw how sure a classifier is; between two classes with the boundary, and with a colour for each side of it."""
    assert answers.values is not None
    if answers.boundary is None:
        return axes.contourf(first, second, answers.values, levels=20, cmap="viridis")
    low, high = range_of_values(answers)
    contours = axes.contourf(first, second, answers.values, levels=np.linspace(low, high, 21), cmap="RdBu_r")
    axes.contour(first, second, answers.values, levels=[answers.boundary], colors="black", linewidths=1.2)
    return contours


def range_of_values(answers: Answers) -> tuple[float, float]:
    """Return the values at the ends of the colours: as far from the boundary between two classes on both sides."""
    assert answers.values is not None
    if answers.boundary is None:
        return float(answers.values.min()), float(answers.values.max())
    farthest = float(np.abs(answers.values - answers.boundary).max()) or 1.0
    return answers.limits or (answers.boundary - farthest, answers.boundary + farthest)
