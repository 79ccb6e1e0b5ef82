"""Plot pictures above their masks, in the colours of the classes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from .images import brightness_range, draw_image, mask_colours
from .style import save, style

# The classes that the legend names.
_MOST_NAMED = 12
_ROW_OF_LEGEND = 6


def masks(
    images: np.ndarray, rows: list[tuple[str, np.ndarray]], labels: tuple[str, ...], path: Path, *, title: str
) -> None:
    """Plot pictures in a row, and their masks in rows below it.

    Args:
        images: (n, height, width) or (n, height, width, channels).
        rows: for each row its name and (n, height, width) class numbers.
    """
    colours = mask_colours(len(labels))
    shown = [("picture", images), *((name, colours[classes]) for name, classes in rows)]
    columns = max(4, len(images))
    aspect = min(3.0, max(0.4, images.shape[1] / images.shape[2]))
    with style(grid=False):
        fig = Figure(figsize=(1.1 * columns, 1.1 * aspect * len(shown) + 1), layout="constrained")
        grid = fig.subplots(len(shown), columns, squeeze=False)
        for line, (name, pictures) in zip(grid, shown, strict=True):
            for axes in line:
                axes.set(xticks=[], yticks=[])
                axes.spines[:].set_visible(False)
            ends = brightness_range(pictures)
            for axes, picture in zip(line, pictures, strict=False):
                draw_image(axes, picture, ends)
            line[0].set_ylabel(name, fontsize=8)
        named = [Patch(color=colour / 255, label=label) for label, colour in zip(labels, colours, strict=True)]
        fig.legend(handles=named[:_MOST_NAMED], loc="outside lower center", ncols=_ROW_OF_LEGEND, fontsize=8)
        fig.suptitle(title)
        save(fig, path)
