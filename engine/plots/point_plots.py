"""Plots of points: clusterings side by side, and data before and after a change."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from ...errors import DataError
from .style import CLASSES, grid_of, save, style

_COLUMNS = 4
_EVEN = 4.0


def clusterings(X: Any, clusters: Mapping[str, Any], path: Path | str, *, title: str = "") -> None:  # noqa: N803
    """Plot several clusterings of the same points side by side, such as those of k-means for k = 2 … 9.

    Args:
        X: (n, 2) points.
        clusters: for each clustering its name, and (n,) the cluster of each point.
        path: of the PNG file.
        title: of the figure.

    Raises:
        DataError: the points do not have two columns, or a clustering has not a cluster for each of them.
        OutputError: the file cannot be written.

    Example:
        >>> from sklearn.cluster import KMeans
        >>> points = np.random.default_rng(0).normal(size=(60, 2))
        >>> by_k = {f"k = {k}": KMeans(k, random_state=0).fit_predict(points) for k in (2, 3)}
        >>> trivium.plots.clusterings(points, by_k, "clusterings.png")
    """
    points = _points(X, (2,))
    with style(grid=False):
        fig, places = grid_of(len(clusters), _COLUMNS, (3.2, 3.0))
        for axes, (name, numbers) in zip(places, clusters.items(), strict=True):
            members = np.asarray(numbers)
            if members.shape != points.shape[:1]:
                raise DataError(f"{name}: expected a cluster for each of the {len(points)} points: {members.shape}")
            _scatter(axes, points, members)
            axes.set(title=name, xticks=[], yticks=[])
        fig.suptitle(title)
        save(fig, Path(path))


def before_and_after(
    before: Any,
    after: Any,
    path: Path | str,
    *,
    y: Any = None,
    names: tuple[str, str] = ("before", "after"),
    title: str = "",
) -> None:
    """Plot points before and after a change, such as a scaling or a projection, in two or three dimensions each.

    Args:
        before, after: (n, 2) or (n, 3) points each.
        path: of the PNG file.
        y: (n,) the class of each point; None for one colour.
        names: of both parts.
        title: of the figure.

    Raises:
        DataError: points have other columns than two or three, or there are not as many after as before.
        OutputError: the file cannot be written.

    Example:
        >>> from sklearn.decomposition import PCA
        >>> points = np.random.default_rng(0).normal(size=(60, 3))
        >>> flat = PCA(2, whiten=True).fit_transform(points)
        >>> trivium.plots.before_and_after(points, flat, "whitened.png", title="PCA with whitening")
    """
    parts = [_points(part, (2, 3)) for part in (before, after)]
    if len(parts[0]) != len(parts[1]):
        raise DataError(f"there are {len(parts[0])} points before and {len(parts[1])} after: give the same points")
    members = np.zeros(len(parts[0]), int) if y is None else np.asarray(y)
    with style():
        fig = Figure(figsize=(11, 4.8), layout="constrained")
        for place, (part, name) in enumerate(zip(parts, names, strict=True), start=1):
            axes: Any = fig.add_subplot(1, 2, place, projection="3d" if part.shape[1] == 3 else None)
            _scatter(axes, part, members)
            axes.set(title=name, xlabel="first column", ylabel="second column")
            if part.shape[1] == 3:
                axes.set_zlabel("third column")
            if _is_even(part):  # the shape of the cloud can be seen
                axes.set_aspect("equal", adjustable="datalim" if part.shape[1] == 2 else "box")
        if y is not None:
            fig.legend(*fig.axes[0].get_legend_handles_labels(), loc="outside right center", title="class")
        fig.suptitle(title)
        save(fig, Path(path))


def _is_even(points: np.ndarray) -> bool:
    """Return whether the ranges of the columns are of one order, so that they can have one scale."""
    ranges = np.ptp(points, axis=0)
    return bool(ranges.max() <= _EVEN * ranges.min())


def _points(values: Any, columns: tuple[int, ...]) -> np.ndarray:
    points = np.asarray(values, "float64")
    if points.ndim != 2 or points.shape[1] not in columns:
        expected = " or ".join(f"(n, {count})" for count in columns)
        raise DataError(f"expected points {expected}, received {points.shape}")
    return points


def _scatter(axes: Any, points: np.ndarray, members: np.ndarray) -> None:
    for number, name in enumerate(np.unique(members)):
        own = points[members == name]
        axes.scatter(*own.T, s=10, color=CLASSES[number % len(CLASSES)], label=str(name))
