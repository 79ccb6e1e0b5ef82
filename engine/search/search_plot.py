"""The picture of a search: every candidate's score, with how much it differs between the folds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from ..plots.style import TRAINING, VALIDATION, save, style
from .search import Search

_MOST_SHOWN = 40


def scores(search: Search, path: Path) -> None:
    """Candidates from the best downwards: a dot for each fold, their mean, and one standard deviation to both sides."""
    shown = search.candidates[:_MOST_SHOWN]
    places = np.arange(len(shown))
    with style():
        drawn = Figure(figsize=(8, 1.7 + 0.26 * len(shown)), layout="constrained")
        axes = drawn.subplots()
        means, deviations = [each.mean for each in shown], [each.deviation for each in shown]
        axes.errorbar(means, places, xerr=deviations, fmt="o", color=TRAINING, capsize=2, label="mean ± deviation")
        for place, each in zip(places, shown, strict=True):
            axes.plot(each.scores, [place] * len(each.scores), ".", color=VALIDATION, alpha=0.6, zorder=0)
        axes.plot([], [], ".", color=VALIDATION, label="single folds")
        axes.set_yticks(places, [words(each.params) for each in shown], fontsize=8)
        axes.invert_yaxis()
        axes.set(xlabel=search.metric)
        drawn.legend(loc="outside lower center", ncols=2, fontsize=8)
        left_out = len(search.candidates) - len(shown)
        rest = f", the best {len(shown)} of {len(search.candidates)}" if left_out else ""
        drawn.suptitle(f"{search.name}: {search.folds}-fold cross-validation{rest}")
        save(drawn, path)


def words(params: dict[str, object]) -> str:
    """`units=40, optimizer=adam`."""
    return ", ".join(
        f"{name}={value:g}" if isinstance(value, float) else f"{name}={value}" for name, value in params.items()
    )
