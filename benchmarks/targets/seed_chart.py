"""A chart of the times to a target: a point for each seed, the median of each backend."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ...engine.plots.style import DATA, TRAINING, VALIDATION, figure, save, style
from ...engine.runs import direction
from . import target_rows
from .seed_run import SeedRun

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_SPREAD = 0.18  # of the points of a backend, as a share of the distance between two backends


def save_seeds(runs: Mapping[str, Sequence[SeedRun]], target: Mapping[str, Any], path: Path) -> None:
    """Draw the seconds of each seed on each backend; a cross marks one that did not reach the target.

    Args:
        runs: the trainings on each backend.
        target: `metric`, `value` and `mode`, and after how many `epochs` a seed has failed.
    """
    sign = "≥" if target["mode"] == direction.MAX else "≤"
    with style():
        chart, (axes,) = figure(1, width=6.5)
        for place, of_backend in enumerate(runs.values()):
            _draw_backend(axes, place, of_backend)
        axes.set_xticks(range(len(runs)), [_label(name, each) for name, each in runs.items()])
        axes.set_xlim(-0.5, len(runs) - 0.5)
        axes.set_ylim(bottom=0)
        axes.grid(axis="x", visible=False)
        axes.set_ylabel("seconds, compilation included")
        handles, labels = axes.get_legend_handles_labels()
        unique = dict(zip(labels, handles, strict=True))
        axes.legend(unique.values(), unique.keys(), loc="upper left", bbox_to_anchor=(1.0, 1.0))
        chart.suptitle(f"Time until {target['metric']} {sign} {target['value']:g}", fontsize=11)
        save(chart, path)


def _draw_backend(axes: Axes, place: int, runs: Sequence[SeedRun]) -> None:
    offsets = np.linspace(-_SPREAD, _SPREAD, len(runs)) if len(runs) > 1 else np.zeros(1)
    for marker, colour, label, reached in (
        ("o", TRAINING, "a seed", True),
        ("x", VALIDATION, "not reached", False),
    ):
        points = [
            (place + offset, run.seconds) for offset, run in zip(offsets, runs, strict=True) if run.reached is reached
        ]
        if points:
            axes.scatter(*zip(*points, strict=True), marker=marker, color=colour, label=label, zorder=3)
    if target_rows.is_reached(runs):
        median = float(np.median(target_rows.times(runs)))
        axes.hlines(median, place - 0.3, place + 0.3, color=DATA, linewidth=2, label="median", zorder=2)


def _label(name: str, runs: Sequence[SeedRun]) -> str:
    return f"{name}\n{sum(run.reached for run in runs)} of {len(runs)} seeds"
