"""Plot a search: the score of every candidate, with its spread over the folds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from ..plots.style import TRAINING, VALIDATION, save, style
from .search import Search

_MOST_CANDIDATES = 40


def draw_scores(search: Search, path: Path) -> None:
    """Plot the candidates, the best on top: a dot per fold, the mean, and error bars of one standard deviation."""
    candidates = search.candidates[:_MOST_CANDIDATES]
    positions = np.arange(len(candidates))
    with style():
        figure = Figure(figsize=(8, 1.7 + 0.26 * len(candidates)), layout="constrained")
        axes = figure.subplots()
        means, stds = [candidate.mean for candidate in candidates], [candidate.deviation for candidate in candidates]
        axes.errorbar(means, positions, xerr=stds, fmt="o", color=TRAINING, capsize=2, label="mean ± deviation")
        for position, candidate in zip(positions, candidates, strict=True):
            axes.plot(candidate.scores, [position] * len(candidate.scores), ".", color=VALIDATION, alpha=0.6, zorder=0)
        axes.plot([], [], ".", color=VALIDATION, label="single folds")
        axes.set_yticks(positions, [format_params(candidate.params) for candidate in candidates], fontsize=8)
        axes.invert_yaxis()
        axes.set(xlabel=search.metric)
        figure.legend(loc="outside lower center", ncols=2, fontsize=8)
        omitted = len(search.candidates) - len(candidates)
        scope = f", the best {len(candidates)} of {len(search.candidates)}" if omitted else ""
        figure.suptitle(f"{search.name}: {search.folds}-fold cross-validation{scope}")
        save(figure, path)


def format_params(params: dict[str, object]) -> str:
    """Return the parameters as text, such as `units=40, optimizer=adam`."""
    return ", ".join(
        f"{name}={value:g}" if isinstance(value, float) else f"{name}={value}" for name, value in params.items()
    )
