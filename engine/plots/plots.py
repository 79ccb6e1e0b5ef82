"""Plots of a run: its curves, predictions, and mistakes. Each function writes one plot as a PNG file.

Example:
    >>> history = trivium.History([{"loss": 0.9, "val_loss": 1.1}, {"loss": 0.5, "val_loss": 0.7}])
    >>> trivium.plots.curves(history, "curves.png", title="two epochs")
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from ..runs.history import History
from .agreement import agreement as agreement
from .confusion import confusion as confusion
from .decision_boundary import decision_boundary as decision_boundary
from .decision_surface import decision_surface as decision_surface
from .images import brightness_range, draw_image
from .point_plots import before_and_after as before_and_after
from .point_plots import clusterings as clusterings
from .regression_lines import regression_lines as regression_lines
from .style import DATA, TRAINING, VALIDATION, figure, save, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def curves(history: History, path: Path | str, *, title: str) -> None:
    """Plot the metrics and the loss side by side, for training and validation. The best epoch is marked."""
    with style():
        metrics = [metric for metric in history.metrics if not metric.startswith("val_")]
        metrics.sort(key=lambda metric: metric == "loss")
        fig, axes = figure(len(metrics))
        for metric, place in zip(metrics, axes, strict=True):
            _curve(place, history, metric)
        fig.suptitle(title)
        save(fig, path)


def _curve(axes: Axes, history: History, metric: str) -> None:
    epochs = np.arange(1, len(history) + 1)
    marker = "o" if len(history) <= 15 else None
    axes.plot(epochs, history[metric], color=TRAINING, marker=marker, label="training")
    if f"val_{metric}" in history:
        axes.plot(epochs, history[f"val_{metric}"], color=VALIDATION, marker=marker, label="validation")
        axes.axvline(history.best_epoch, color=DATA, linestyle=":", label=f"best epoch ({history.best_epoch})")
    axes.set(xlabel="epoch", ylabel=metric)
    _whole_epochs(axes, len(history))
    axes.legend()


def _whole_epochs(axes: Axes, count: int) -> None:
    """Mark whole epochs only, also where there is a single one."""
    if count == 1:
        axes.set_xlim(0, 2)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))


def overlaid(histories: list[tuple[str, History]], path: Path | str) -> None:
    """Plot several runs over each other, one plot per metric: validation solid, training dashed.

    Args:
        histories: the name of each run, and its history of at least one epoch.
    """
    with style():
        names = list(dict.fromkeys(name for _, history in histories for name in history.metrics))
        metrics = sorted((name for name in names if not name.startswith("val_")), key=lambda name: name == "loss")
        fig, axes = figure(len(metrics))
        for metric, place in zip(metrics, axes, strict=True):
            for number, (name, history) in enumerate(histories):
                epochs, colour = np.arange(1, len(history) + 1), f"C{number}"
                validated = f"val_{metric}" in history
                if metric in history:
                    line = {"linestyle": "--", "alpha": 0.5} if validated else {"label": name}
                    place.plot(epochs, history[metric], color=colour, **line)
                if validated:
                    place.plot(epochs, history[f"val_{metric}"], color=colour, label=name)
            place.set(xlabel="epoch", ylabel=metric)
            _whole_epochs(place, max(len(history) for _, history in histories))
            place.legend()
        save(fig, path)


def series(parts: list[tuple[str, np.ndarray, np.ndarray]], path: Path | str, *, title: str) -> None:
    """Plot predicted values over the parts of a series, side by side, with the RMS error of each.

    Args:
        parts: for each part its name, (n,) its values, and (m,) predictions, m ≤ n, of the last m values.
    """
    with style():
        fig, plots = figure(len(parts), width=9 if len(parts) == 1 else 7)
        for axes, (name, data, predicted) in zip(plots, parts, strict=True):
            first = len(data) - len(predicted)
            axes.plot(np.arange(len(data)), data, color=DATA, linewidth=3, alpha=0.6, label="data")
            axes.plot(np.arange(first, len(data)), predicted, color=VALIDATION, label="predicted")
            rms = float(np.sqrt(np.mean(np.square(predicted - data[first:]))))
            axes.set(xlabel="step", ylabel="value", title=f"{name}: RMS error {rms:.4g}")
            axes.legend()
        fig.suptitle(title)
        save(fig, path)


def mistakes(
    images: Callable[[np.ndarray], np.ndarray],
    expected: np.ndarray,
    predicted: np.ndarray,
    certainty: np.ndarray,
    labels: tuple[str, ...],
    path: Path | str,
    *,
    title: str,
    most: int = 40,
) -> None:
    """Plot the misclassified images, those with the highest certainty first.

    Args:
        images: returns the images of samples by their numbers, at least one: (n, height, width), or with channels.
        expected, predicted: (n,) class numbers.
        certainty: (n,) probabilities of the predicted classes.
    """
    wrong = np.flatnonzero(expected != predicted)
    indices = wrong[np.argsort(-certainty[wrong], kind="stable")][:most]
    columns, rows = 8, max(1, -(-len(indices) // 8))
    with style(grid=False):
        fig = Figure(figsize=(1.25 * columns, 1.45 * rows + 0.7), layout="constrained")
        grid = fig.subplots(rows, columns, squeeze=False)
        for axes in grid.flat:
            axes.axis("off")
        shown = images(indices) if len(indices) else np.empty(0)
        ends = brightness_range(shown)
        for axes, index, image in zip(grid.flat, indices, shown, strict=False):
            draw_image(axes, image, ends)
            axes.set_title(
                f"{labels[expected[index]]} taken for {labels[predicted[index]]}\n{certainty[index]:.0%} certain",
                fontsize=7,
            )
        first = f"the {len(indices)} most certain of " if len(indices) < len(wrong) else ""
        fig.suptitle(f"{title}: {first}{len(wrong)} mistakes in {len(expected)}")
        save(fig, path)


def image_grid(images: np.ndarray, names: list[str], path: Path | str, *, title: str) -> None:
    """Plot images in rows of ten, each with its label above.

    Args:
        images: (n, height, width) grey, or (n, height, width, channels).
        names: n labels, or an empty list.
    """
    columns, rows = 10, -(-len(images) // 10)
    aspect = min(3.0, max(0.4, images.shape[1] / images.shape[2]))
    with style(grid=False):
        fig = Figure(figsize=(columns, (aspect + 0.25) * rows + 0.5), layout="constrained")
        grid = fig.subplots(rows, columns, squeeze=False)
        for axes in grid.flat:
            axes.axis("off")
        ends = brightness_range(images)
        for index, axes in zip(range(len(images)), grid.flat, strict=False):
            draw_image(axes, images[index], ends)
            axes.set_title(names[index] if names else "", fontsize=8)
        fig.suptitle(title)
        save(fig, path)


def contact_sheet(images: np.ndarray, columns: int, path: Path | str, *, title: str) -> None:
    """Plot images without gaps or labels, as one sheet.

    Args:
        images: (n, height, width) grey; n a multiple of `columns`.
    """
    height, width = images.shape[1:]
    sheet = images.reshape(-1, columns, height, width).swapaxes(1, 2).reshape(-1, columns * width)
    with style(grid=False):
        fig = Figure(figsize=(7, 7 * sheet.shape[0] / sheet.shape[1] + 0.4), layout="constrained")
        axes = fig.subplots()
        draw_image(axes, sheet, brightness_range(images))
        axes.axis("off")
        fig.suptitle(title)
        save(fig, path)


def beside(pairs: list[tuple[str, np.ndarray]], path: Path | str, *, title: str) -> None:
    """Plot rows of images that belong together column by column, such as originals above reconstructions.

    Args:
        pairs: for each row its name and (n, height, width) grey or (n, height, width, channels) images; a row may have
            fewer than the others.
    """
    rows, columns = len(pairs), max(len(images) for _, images in pairs)
    ends = brightness_range(*(images for _, images in pairs))
    with style(grid=False):
        fig = Figure(figsize=(columns, 1.1 * rows + 0.6), layout="constrained")
        grid = fig.subplots(rows, columns, squeeze=False)
        for row, (name, images) in zip(grid, pairs, strict=True):
            for axes in row:
                axes.set(xticks=[], yticks=[])
                axes.spines[:].set_visible(False)
            for axes, image in zip(row, images, strict=False):
                draw_image(axes, image, ends)
            row[0].set_ylabel(name, fontsize=8)
        fig.suptitle(title)
        save(fig, path)


def curve(values: np.ndarray, path: Path | str, *, title: str) -> None:
    """Plot a series over its steps.

    Args:
        values: (n,).
    """
    with style():
        fig, (axes,) = figure(1, width=9)
        axes.plot(values, color=TRAINING)
        axes.set(xlabel="step", ylabel="value")
        fig.suptitle(title)
        save(fig, path)


def curve_grid(values: np.ndarray, names: list[str], path: Path | str, *, title: str) -> None:
    """Plot curves in rows of six, each with its label above.

    Args:
        values: (n, steps).
        names: n labels, or an empty list.
    """
    columns, rows = 6, -(-len(values) // 6)
    with style(grid=False):
        fig = Figure(figsize=(1.7 * columns, 1.2 * rows + 0.5), layout="constrained")
        grid = fig.subplots(rows, columns, squeeze=False, sharey=True)
        for axes in grid.flat:
            axes.axis("off")
        for index, axes in zip(range(len(values)), grid.flat, strict=False):
            axes.plot(values[index], color=TRAINING, linewidth=1)
            axes.set_title(names[index] if names else "", fontsize=8)
        fig.suptitle(title)
        save(fig, path)


def scatter(points: np.ndarray, y: np.ndarray, labels: tuple[str, ...], path: Path | str, *, title: str) -> None:
    """Plot points in the plane, coloured by class, or by value if there are no classes.

    Args:
        points: (n, 2).
        y: (n,) class numbers or values.
    """
    with style():
        fig, (axes,) = figure(1, width=6)
        if labels:
            for number, label in enumerate(labels):
                axes.scatter(points[y == number, 0], points[y == number, 1], s=12, label=label)
            axes.legend()
        else:
            fig.colorbar(axes.scatter(points[:, 0], points[:, 1], c=y, s=12), label="value")
        axes.set(xlabel="first column", ylabel="second column")
        fig.suptitle(title)
        save(fig, path)
