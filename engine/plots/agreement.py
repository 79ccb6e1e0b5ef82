"""Plot predicted values against the true ones, and what is left between them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure

from .style import DATA, VALIDATION, save, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_SIDE = 4.2  # inches
_FEW = 1000  # points that are drawn at their full strength


def agreement(
    data: np.ndarray, predicted: np.ndarray, path: Path | str, *, title: str, names: tuple[str, ...] = ()
) -> None:
    """Plot predicted values against the true ones, and below them the residuals, a column for each target.

    On the diagonal both agree. A residual is predicted minus true: those of a good model scatter about zero evenly.

    Args:
        data, predicted: (n, targets) values of samples that have no order.
        names: of the targets.
    """
    targets = data.shape[1]
    with style():
        fig = Figure(figsize=(_SIDE * targets + 0.4, 1.75 * _SIDE), layout="constrained")
        grid = fig.subplots(2, targets, squeeze=False, height_ratios=(1, 0.62))
        for target, (upper, lower) in enumerate(grid.T):
            true, said = data[:, target].astype("float64"), predicted[:, target].astype("float64")
            _draw_pairs(upper, true, said)
            _draw_residuals(lower, true, said)
            rms = float(np.sqrt(np.mean(np.square(said - true))))
            name = f"{names[target]}: " if names else ""
            upper.set_title(f"{name}RMS error {rms:.4g}")
        fig.suptitle(title)
        save(fig, path)


def _draw_pairs(axes: Axes, true: np.ndarray, said: np.ndarray) -> None:
    ends = [min(true.min(), said.min()), max(true.max(), said.max())]
    axes.plot(ends, ends, color=DATA, linewidth=1)
    axes.scatter(true, said, s=12, color=VALIDATION, alpha=_strength(len(true)), linewidths=0)
    axes.set(xlabel="true", ylabel="predicted", aspect="equal", adjustable="datalim")


def _draw_residuals(axes: Axes, true: np.ndarray, said: np.ndarray) -> None:
    axes.axhline(0, color=DATA, linewidth=1)
    axes.scatter(said, said - true, s=12, color=VALIDATION, alpha=_strength(len(true)), linewidths=0)
    axes.set(xlabel="predicted", ylabel="predicted − true")


def _strength(points: int) -> float:
    """Return the opacity of a point: where there are many, the densest places are the darkest."""
    return float(np.clip(0.6 * _FEW / max(points, 1), 0.1, 0.6))
