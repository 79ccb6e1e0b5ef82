"""Charts of what was measured."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..engine.plots.style import TRAINING, VALIDATION, figure, save, style
from .results import STEADY, Results
from .suites.pooling_vs_striding import RECIPES


def save_epoch_bars(results: Results, path: Path) -> None:
    """Pooling beside striding for each backend: median epochs with quartiles, the cost ratio above each pair."""
    ratios = {ratio["backend"]: ratio for ratio in results.ratios if (ratio["of"], ratio["over"]) == RECIPES}
    with style():
        chart, (axes,) = figure(1, width=7)
        places = np.arange(len(ratios))
        for offset, recipe, colour in ((-0.2, RECIPES[0], TRAINING), (0.2, RECIPES[1], VALIDATION)):
            steady_rows = [results.find(backend=backend, recipe=recipe, metric=STEADY)[0] for backend in ratios]
            heights = [ratio["median"] for ratio in steady_rows]
            spread = np.array(
                [
                    [epoch["median"] - epoch["q1"] for epoch in steady_rows],
                    [epoch["q3"] - epoch["median"] for epoch in steady_rows],
                ]
            )
            axes.bar(places + offset, heights, 0.38, yerr=spread, capsize=3, color=colour, label=recipe)
        top = axes.get_ylim()[1]
        for place, cost in zip(places, ratios.values(), strict=True):
            label = f"{cost['ratio']:.1f}×\n[{cost['low']:.1f}, {cost['high']:.1f}]"
            axes.text(float(place), top, label, ha="center", va="bottom")
        axes.set_ylim(0, top * 1.18)
        axes.set_xticks(places, list(ratios))
        axes.set_ylabel("seconds per epoch")
        axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))
        chart.suptitle(
            "What pooling costs against striding (median, quartiles; ratio with its 95 % interval)", fontsize=10
        )
        save(chart, path)
