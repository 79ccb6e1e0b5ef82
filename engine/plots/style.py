"""The look that all plots share: size, colours, grid; and the writing of a figure as a PNG."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
from matplotlib.figure import Figure

from ...storage.atomic import written_whole

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Colours that stay apart for the colour-blind (Okabe and Ito, 2008).
TRAINING, VALIDATION, DATA = "#0072B2", "#D55E00", "#7f7f7f"
_STYLE: dict[str, Any] = {"axes.spines.top": False, "axes.spines.right": False, "grid.alpha": 0.3, "font.size": 10}


def style(*, grid: bool = True) -> AbstractContextManager[None]:
    """The look that all our pictures share, while the context lasts."""
    return mpl.rc_context({**_STYLE, "axes.grid": grid})  # type: ignore[dict-item]


def figure(count: int, width: float = 5.0) -> tuple[Figure, list[Axes]]:
    """A figure of `count` plots side by side, each `width` inches wide; it belongs to no window and no global state."""
    made = Figure(figsize=(width * count, 4), layout="constrained")
    return made, list(made.subplots(1, count, squeeze=False)[0])


def save(drawn: Figure, path: Path) -> None:
    """Write the figure, whole or not at all."""
    with written_whole(path) as aside:
        drawn.savefig(aside, dpi=110)
