"""Plot which classes are taken for which: a confusion matrix, or of many classes the most frequent mistakes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from .style import DATA, TRAINING, VALIDATION, readable_on, save, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.image import AxesImage

_MOST_CLASSES = 30  # of a matrix; of more classes the most frequent mistakes are listed
_MOST_LISTED = 25
_RIGHT = "#d9d9d9"  # the diagonal
_POINTS, _LARGE_POINTS = 8.5, 12.0  # of the numbers in the cells, and of those in few cells
_FEW_CLASSES, _LARGEST_LARGE = 12, 10_000
_DIGIT = 0.65  # of the font size: the width of a digit
_SMALLEST, _NARROWEST = 0.36, 4.6  # inches, of a cell and of a matrix
_LONGEST = 22  # letters of a label


def confusion(
    expected: np.ndarray, predicted: np.ndarray, labels: tuple[str, ...], path: Path | str, *, title: str
) -> None:
    """Plot the confusion matrix; of more than 30 classes the most frequent mistakes, and the least accurate classes.

    Args:
        expected, predicted: (n,) class numbers.
    """
    wrong = int(np.count_nonzero(expected != predicted))
    title = f"{title}\n{wrong:,} of {len(expected):,} wrong"
    with style(grid=False):
        if len(labels) <= _MOST_CLASSES:
            fig = _draw_matrix(expected, predicted, [_short(label) for label in labels])
        else:
            fig = _draw_lists(expected, predicted, [_short(label) for label in labels])
        fig.suptitle(title)
        save(fig, path)


def _short(label: str) -> str:
    return label if len(label) <= _LONGEST else label[: _LONGEST - 1] + "…"


# --- a matrix -------------------------------------------------------------------------------------------------------


def _draw_matrix(expected: np.ndarray, predicted: np.ndarray, labels: list[str]) -> Figure:
    from sklearn.metrics import confusion_matrix

    counts = confusion_matrix(expected, predicted, labels=range(len(labels)))
    digits = len(str(counts.max()))
    side = max(_NARROWEST, len(labels) * max(_SMALLEST, (digits + 1) * _POINTS * _DIGIT / 72))
    margin = 0.7 + 0.08 * max(map(len, labels))
    fig = Figure(figsize=(side + margin + 1.2, side + margin + 0.3), layout="constrained")
    axes = fig.subplots()
    errors = counts - np.diag(np.diag(counts))
    colours = _draw_cells(axes, counts, errors)
    upright = max(map(len, labels)) * _POINTS * _DIGIT / 72 > side / len(labels)
    axes.set_xticks(range(len(labels)), labels, rotation=90 if upright else 0)
    axes.set_yticks(range(len(labels)), labels)
    axes.tick_params(length=0)
    axes.set(xlabel="predicted", ylabel="true")
    if errors.any():
        bar = fig.colorbar(colours, ax=axes, shrink=0.7, ticks=MaxNLocator(5, integer=True))
        bar.set_label("mistakes (grey: right; empty: none)")
    return fig


def _draw_cells(axes: Axes, counts: np.ndarray, errors: np.ndarray) -> AxesImage:
    """Draw mistakes in colours that are scaled to them alone, the diagonal in grey, and the number of each cell."""
    off_diagonal = np.ma.array(errors, mask=np.eye(len(errors), dtype=bool))
    cells = axes.imshow(off_diagonal, cmap="Blues", vmin=0, vmax=max(1, int(errors.max())))
    axes.set_facecolor(_RIGHT)
    points = _LARGE_POINTS if len(counts) < _FEW_CLASSES and counts.max() < _LARGEST_LARGE else _POINTS
    for (row, column), count in np.ndenumerate(counts):
        if count:
            colour = readable_on(_RIGHT if row == column else cells.to_rgba(count))
            axes.text(column, row, str(count), color=colour, fontsize=points, ha="center", va="center")
    return cells


# --- lists ----------------------------------------------------------------------------------------------------------


def _draw_lists(expected: np.ndarray, predicted: np.ndarray, labels: list[str]) -> Figure:
    """Draw the most frequent pairs of a true and a predicted class, and the classes with the lowest accuracy."""
    fig = Figure(figsize=(12, 6.6), layout="constrained")
    left, right = fig.subplots(1, 2)
    pairs, counts = _mistaken_pairs(expected, predicted)
    names = [f"{labels[true]} → {labels[said]}" for true, said in pairs[:_MOST_LISTED]]
    _draw_list(left, names, counts[:_MOST_LISTED], [f"{count:,}" for count in counts[:_MOST_LISTED]], VALIDATION)
    left.set(xlabel="samples", title=_heading("most frequent mistakes, true → predicted", len(names), len(pairs)))
    classes, accuracies, totals = _least_accurate(expected, predicted)
    shown = list(zip(classes, accuracies, totals, strict=True))[:_MOST_LISTED]
    texts = [f"{share:.0%} of {total:,}" for _, share, total in shown]
    _draw_list(right, [labels[number] for number, _, _ in shown], accuracies[:_MOST_LISTED] * 100, texts, TRAINING)
    right.set(xlabel="right, per cent", xlim=(0, 100))
    right.set_title(_heading("least accurate classes", len(shown), len(classes)))
    return fig


def _heading(text: str, shown: int, total: int) -> str:
    return f"The {text} ({shown} of {total:,})" if shown < total else f"The {text}"


def _draw_list(axes: Axes, names: list[str], values: np.ndarray, texts: list[str], colour: str) -> None:
    axes.barh(range(len(names)), values, color=colour, height=0.7)
    axes.set_yticks(range(len(names)), names, fontsize=_POINTS)
    axes.set_ylim(_MOST_LISTED - 0.5, -0.5)
    axes.tick_params(axis="y", length=0)
    for row, (value, text) in enumerate(zip(values, texts, strict=True)):
        axes.annotate(
            text, (value, row), (3, 0), textcoords="offset points", va="center", fontsize=_POINTS - 1, color="black"
        )
    if not names:
        axes.text(0.5, 0.5, "none", transform=axes.transAxes, ha="center", color=DATA)


def _mistaken_pairs(expected: np.ndarray, predicted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return (m, 2) pairs of a true and another predicted class, the most frequent first, and (m,) their numbers."""
    wrong = expected != predicted
    codes = np.stack([expected[wrong], predicted[wrong]], axis=1)
    pairs, counts = np.unique(codes, axis=0, return_counts=True)
    order = np.argsort(-counts, kind="stable")
    return pairs[order], counts[order]


def _least_accurate(expected: np.ndarray, predicted: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the (k,) classes that occur, their accuracies, the lowest first, and their numbers of samples."""
    totals = np.bincount(expected)
    right = np.bincount(expected[expected == predicted], minlength=len(totals))
    classes = np.flatnonzero(totals)
    accuracies = right[classes] / totals[classes]
    order = np.lexsort((-totals[classes], accuracies))
    return classes[order], accuracies[order], totals[classes][order]
