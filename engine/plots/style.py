"""The style of all plots (size, colours, grid), and writing a figure to a PNG file."""

from __future__ import annotations

import math
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
import numpy as np
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.ticker import FixedFormatter, FuncFormatter

from ...errors import OutputError
from ...storage.atomic import atomic_write, require_writable_file
from ...storage.visible_text import visible

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis

# Colours distinguishable for the colour-blind (Okabe and Ito, 2008).
TRAINING, VALIDATION, DATA = "#0072B2", "#D55E00", "#7f7f7f"
# Of the classes of points.
CLASSES = (TRAINING, VALIDATION, "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#F0E442", DATA)
_ENDINGS = (".png", ".jpg", ".jpeg", ".webp", ".svg", ".pdf")
_TEXT_COLOURS = ("white", "#0b2239")
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


def grid_of(count: int, most: int, size: tuple[float, float]) -> tuple[Figure, list[Axes]]:
    """Return a figure of `count` plots in even rows of at most so many, and the plots, each (width, height) inches."""
    rows = math.ceil(count / most)
    columns = math.ceil(count / rows)
    fig = Figure(figsize=(size[0] * columns, size[1] * rows + 0.4), layout="constrained")
    places = list(fig.subplots(rows, columns, squeeze=False).ravel())
    for axes in places[count:]:
        axes.set_visible(False)
    return fig, places[:count]


def readable_on(background: Any) -> str:
    """Return the colour of text, light or dark, that has more contrast with a background (WCAG 2.1, 1.4.3)."""
    return max(_TEXT_COLOURS, key=lambda colour: contrast(colour, background))


def contrast(one: Any, other: Any) -> float:
    """Return the contrast of two colours, 1 to 21 (WCAG 2.1)."""
    darker, lighter = sorted((_luminance(one), _luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(colour: Any) -> float:
    """Return the relative luminance of a colour, 0 to 1 (WCAG 2.1)."""
    channels = np.array(to_rgb(colour))
    linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
    return float(linear @ np.array([0.2126, 0.7152, 0.0722]))


def require_plot_file(path: Path | str) -> None:
    """Raise an OutputError unless a figure can be written into this file.

    Raises:
        OutputError: the name has another ending than those of figures, or the system refuses the file.
    """
    path = Path(path)
    if path.suffix.lower() not in _ENDINGS:
        raise OutputError(f"{path}: expected a file name with {', '.join(_ENDINGS)} for a figure, such as seen.png")
    require_writable_file(path)


def save(fig: Figure, path: Path | str) -> None:
    """Write the figure atomically, with the control characters in its texts written out.

    Raises:
        OutputError: as `require_plot_file`.
    """
    require_plot_file(path)
    _write_out_controls(fig)
    with atomic_write(Path(path)) as temporary_path:
        fig.savefig(temporary_path, dpi=110)


def _write_out_controls(fig: Figure) -> None:
    for text in fig.findobj(Text):
        text.set_text(_visible(text.get_text()))
    for axes in fig.axes:
        for axis in (axes.xaxis, axes.yaxis):
            _write_out_controls_of_ticks(axis)


def _write_out_controls_of_ticks(axis: Axis) -> None:
    """Let the labels of an axis be shown as `visible` returns them; they are made anew whenever a figure is drawn."""
    labels = axis.get_major_formatter()
    if isinstance(labels, FixedFormatter | FuncFormatter):
        axis.set_major_formatter(FuncFormatter(lambda value, position: _visible(labels(value, position))))


def _visible(text: str) -> str:
    return visible(text, keep="\n")
