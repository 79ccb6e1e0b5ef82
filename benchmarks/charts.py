"""Charts of what was measured."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..engine.plots import TRAINING, VALIDATION, figure, save, style
from .measure import Summary
from .pooling_vs_striding import POOLING, STRIDING, Result


def epoch_bars(result: Result, path: Path) -> None:
    """Pooling beside striding for each backend: median epochs with quartiles, the cost ratio above each pair."""
    with style():
        drawn, (axes,) = figure(1, width=7)
        places = np.arange(len(result.backends))
        for offset, recipe, colour in ((-0.2, POOLING, TRAINING), (0.2, STRIDING, VALIDATION)):
            found = [Summary.of(result.rounds.samples[backend, recipe]) for backend in result.backends]
            spread = np.array([[s.median - s.q1 for s in found], [s.q3 - s.median for s in found]])
            axes.bar(
                places + offset, [s.median for s in found], 0.38, yerr=spread, capsize=3, color=colour, label=recipe
            )
        top = axes.get_ylim()[1]
        for place, backend in zip(places, result.backends, strict=True):
            cost = result.cost(backend)
            axes.text(
                float(place), top, f"{cost.ratio:.1f}×\n[{cost.low:.1f}, {cost.high:.1f}]", ha="center", va="bottom"
            )
        axes.set_ylim(0, top * 1.18)
        axes.set_xticks(places, result.backends)
        axes.set_ylabel("seconds per epoch")
        axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))
        drawn.suptitle(
            "What pooling costs against striding (median, quartiles; ratio with its 95 % interval)", fontsize=10
        )
        save(drawn, path)
