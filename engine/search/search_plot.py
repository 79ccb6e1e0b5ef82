"""Plot a search: the score of every candidate, with its spread over the folds; in the order of the grid; as a map."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from ...functions import require_known
from ..plots.style import CLASSES, DATA, TRAINING, VALIDATION, readable_on, save, style
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
            if candidate.training_scores:
                axes.plot(np.mean(candidate.training_scores), position, "x", color=DATA)
        axes.plot([], [], ".", color=VALIDATION, label="single folds")
        if search.best.training_scores:
            axes.plot([], [], "x", color=DATA, label="mean on the training samples")
        axes.set_yticks(positions, [format_params(candidate.params) for candidate in candidates], fontsize=8)
        axes.invert_yaxis()
        axes.set(xlabel=search.metric)
        figure.legend(loc="outside lower center", ncols=3, fontsize=8)
        omitted = len(search.candidates) - len(candidates)
        scope = f", the best {len(candidates)} of {len(search.candidates)}" if omitted else ""
        figure.suptitle(f"{search.name}: {search.folds}-fold cross-validation{scope}")
        save(figure, path)


def draw_in_order(search: Search, path: Path) -> None:
    """Plot the mean scores in the order of the grid: each value of the first parameter has a colour."""
    candidates = sorted(search.candidates, key=lambda candidate: _order(candidate.params))
    first = next(iter(candidates[0].params), "")
    values = [candidate.params.get(first) for candidate in candidates]
    kinds = list(dict.fromkeys(map(repr, values)))
    with style():
        fig = Figure(figsize=(max(6, min(16, 2 + 0.16 * len(candidates))), 4.2), layout="constrained")
        axes = fig.subplots()
        for number, kind in enumerate(kinds):
            places = [place for place, value in enumerate(values) if repr(value) == kind]
            means = [candidates[place].mean for place in places]
            deviations = [candidates[place].deviation for place in places]
            label = format_params({first: values[places[0]]})
            colour = CLASSES[number % len(CLASSES)]
            axes.errorbar(places, means, yerr=deviations, fmt="o-", color=colour, capsize=2, markersize=4, label=label)
        if len(candidates) <= _MOST_CANDIDATES:
            rest = [{name: value for name, value in c.params.items() if name != first} for c in candidates]
            axes.set_xticks(range(len(candidates)), map(format_params, rest), rotation=90, fontsize=7)
        axes.set(xlabel="combinations in the order of the grid", ylabel=f"{search.metric}, mean ± deviation")
        if len(kinds) <= len(CLASSES):
            fig.legend(loc="outside lower center", ncols=4, fontsize=8)
        fig.suptitle(f"{search.name}: {search.folds}-fold cross-validation")
        save(fig, path)


def draw_map(search: Search, names: tuple[str, str], path: Path) -> None:
    """Plot the best mean score for each pair of values of two parameters, whatever the others are.

    Raises:
        OptionError: the search did not vary one of them.
    """
    require_known("a map of scores", names, list(search.best.params))
    rows, columns = (_values(search, name) for name in names)
    scores = np.full((len(rows), len(columns)), np.nan)
    for candidate in search.candidates:
        place = rows.index(repr(candidate.params[names[0]])), columns.index(repr(candidate.params[names[1]]))
        scores[place] = np.fmax(scores[place], candidate.mean)
    with style(grid=False):
        fig = Figure(figsize=(2.6 + 0.8 * len(columns), 1.9 + 0.55 * len(rows)), layout="constrained")
        axes = fig.subplots()
        image = axes.imshow(scores, cmap="viridis", aspect="auto")
        for (row, column), score in np.ndenumerate(scores):
            if np.isfinite(score):
                colour = readable_on(image.cmap(image.norm(score))[:3])
                axes.text(column, row, f"{score:.3f}", ha="center", va="center", fontsize=8, color=colour)
        axes.set_xticks(range(len(columns)), [text.strip("'") for text in columns])
        axes.set_yticks(range(len(rows)), [text.strip("'") for text in rows])
        axes.set(xlabel=names[1], ylabel=names[0])
        fig.colorbar(image, ax=axes, label=search.metric)
        fig.suptitle(f"{search.name}: {search.folds}-fold cross-validation")
        save(fig, path)


def _values(search: Search, name: str) -> list[str]:
    """Return the values of a parameter as text: numbers in their order, others as they came."""
    values = [candidate.params[name] for candidate in search.candidates]
    return list(dict.fromkeys(map(repr, sorted(values, key=lambda value: _order({name: value})))))


def _order(params: Mapping[str, object]) -> tuple[tuple[bool, float, str], ...]:
    """Return what sorts parameters: numbers by their value, others by their text."""
    return tuple(
        (False, float(value), "") if isinstance(value, (int, float)) else (True, 0.0, repr(value))
        for value in params.values()
    )


def format_params(params: dict[str, object]) -> str:
    """Return the parameters as text, such as `units=40, optimizer=adam`."""
    return ", ".join(
        f"{name}={value:g}" if isinstance(value, float) else f"{name}={value}" for name, value in params.items()
    )
