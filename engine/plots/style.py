"""The style of all plots (size, colours, grid), and writing a figure to a PNG file."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
from matplotlib.figure import Figure

from ...storage.atomic import atomic_write

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Colours distinguishable for the colour-blind (Okabe and Ito, 2008).
TRAINING, VALIDATION, DATA = "#0072B2", "#D55E00", "#7f7f7f"
_STYLE: dict[str, Any] = {
    "axes.spines.top": False,
    "axes.spines.right": False,
    "grid.alpha": 0.3,
    "font.size": 10,
    "text.parse_math": False,  # the name of a class may hold dollars
}


def style(*, grid: bool = True) -> AbstractContextManager[None]:
    """Return a context in which figures have the style of all plots."""
    return mpl.rc_context({**_STYLE, "axes.grid": grid})  # type: ignore[dict-item]


def figure(count: int, width: float = 5.0) -> tuple[Figure, list[Axes]]:
    """Return a figure of `count` plots side by side, each `width` inches wide, without pyplot's global state."""
    fig = Figure(figsize=(width * count, 4), layout="constrained")
    return fig, list(fig.subplots(1, count, squeeze=False)[0])


def save(fig: Figure, path: Path) -> None:
    """Write the figure atomically."""
    with atomic_write(path) as temporary_path:
        fig.savefig(temporary_path, dpi=110)
