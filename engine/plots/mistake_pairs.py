"""Plot a misclassified image for each pair of a label and a prediction: a confusion matrix of pictures."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure

from .images import brightness_range, draw_image
from .style import DATA, grid_of, save, style

_MOST_CLASSES = 10  # of a matrix; with more classes the pairs that occur most are listed
_MOST_PAIRS = 40
_CELL = 0.95  # inches
_NARROWEST = 6.0  # inches, for the title
_FEW = 5  # classes
_LONGEST = 20  # letters of a label


class _Pair(NamedTuple):
    """A label and a prediction: how many images were mistaken so, and the one with the highest certainty."""

    label: int
    predicted: int
    times: int
    sample: int


def mistake_pairs(
    images: Callable[[np.ndarray], np.ndarray],
    expected: np.ndarray,
    predicted: np.ndarray,
    certainty: np.ndarray,
    labels: tuple[str, ...],
    path: Path,
    *,
    title: str,
) -> None:
    """Plot of each pair (label, prediction) the most certain mistake and their number: a row for each label.

    Of more than ten classes the pairs that occur most are shown instead, the most frequent first.

    Args:
        images: returns the images of samples by their numbers, at least one: (n, height, width), or with channels.
        expected, predicted: (n,) class numbers.
        certainty: (n,) probabilities of the predicted classes.
    """
    pairs = _pairs(expected, predicted, certainty)
    wrong = sum(pair.times for pair in pairs)
    title = f"{title}: {wrong} mistakes in {len(expected)}, the most certain of each pair"
    with style(grid=False):
        if len(labels) <= _MOST_CLASSES:
            fig = _draw_matrix(images, pairs, labels)
        else:
            shown = sorted(pairs, key=lambda pair: -pair.times)[:_MOST_PAIRS]
            title += f" ({len(shown)} of {len(pairs)} pairs)" if len(shown) < len(pairs) else ""
            fig = _draw_list(images, shown, certainty, labels)
        fig.suptitle(title, fontsize=10)
        save(fig, path)


def _pairs(expected: np.ndarray, predicted: np.ndarray, certainty: np.ndarray) -> list[_Pair]:
    wrong = np.flatnonzero(expected != predicted)
    wrong = wrong[np.argsort(-certainty[wrong], kind="stable")]
    codes = np.stack([expected[wrong], predicted[wrong]], axis=1)
    kinds, first, counts = np.unique(codes, axis=0, return_index=True, return_counts=True)
    return [
        _Pair(int(label), int(said), int(count), int(wrong[place]))
        for (label, said), place, count in zip(kinds, first, counts, strict=True)
    ]


def _shown(images: Callable[[np.ndarray], np.ndarray], pairs: list[_Pair]) -> np.ndarray:
    return images(np.array([pair.sample for pair in pairs])) if pairs else np.empty(0)


def _draw_matrix(images: Callable[[np.ndarray], np.ndarray], pairs: list[_Pair], labels: tuple[str, ...]) -> Figure:
    size = len(labels)
    side = max(_CELL * size, _NARROWEST - 1.2)
    fig = Figure(figsize=(side + 1.2, side + 1.3), layout="constrained")
    grid = fig.subplots(size, size, squeeze=False)
    for (row, column), axes in np.ndenumerate(grid):
        axes.set(xticks=[], yticks=[], facecolor="#e4e4e4" if row == column else "#f7f7f7")
        axes.spines[:].set_visible(False)
        if row == size - 1:
            axes.set_xlabel(_short(labels[column], size), fontsize=9)
        if column == 0:
            axes.set_ylabel(_short(labels[row], size), fontsize=9)
    shown = _shown(images, pairs)
    ends = brightness_range(shown)
    for pair, image in zip(pairs, shown, strict=True):
        axes = grid[pair.label, pair.predicted]
        draw_image(axes, image, ends)
        axes.set_title(f"{pair.times}×", fontsize=8, pad=2, color=DATA if pair.times == 1 else "black")
    fig.supxlabel("predicted", fontsize=10)
    fig.supylabel("true", fontsize=10)
    return fig


def _draw_list(
    images: Callable[[np.ndarray], np.ndarray], pairs: list[_Pair], certainty: np.ndarray, labels: tuple[str, ...]
) -> Figure:
    fig, places = grid_of(max(1, len(pairs)), 8, (1.4, 1.65))
    for axes in places:
        axes.axis("off")
    shown = _shown(images, pairs)
    ends = brightness_range(shown)
    for axes, pair, image in zip(places, pairs, shown, strict=False):
        draw_image(axes, image, ends)
        names = f"{_short(labels[pair.label])}\nfor {_short(labels[pair.predicted])}"
        axes.set_title(f"{names}\n{pair.times}×, {certainty[pair.sample]:.0%} certain", fontsize=7)
    return fig


def _short(label: str, classes: int = 1) -> str:
    """Return a label cut to the room that it has beside those of the other classes of a matrix."""
    longest = _LONGEST if classes < _FEW else _LONGEST // 2
    return label if len(label) <= longest else label[: longest - 1] + "…"
