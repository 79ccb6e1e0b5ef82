"""Pictures under maps of the plane: each pixel shows another place of the picture, interpolated between its pixels.

What lies beyond the border is, as in SciPy and Keras: `nearest` the pixel at the border, `constant` one value,
`reflect` the picture mirrored at its border, `wrap` the picture again.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

NEAREST, CONSTANT, REFLECT, WRAP = FILLS = "nearest", "constant", "reflect", "wrap"

# As many pixels are mapped at a time as fit into a processor's cache.
_PIXELS = 2**14


def mapped(
    pictures: np.ndarray, matrices: np.ndarray, offsets: np.ndarray, fill: str = NEAREST, value: float = 0.0
) -> np.ndarray:
    """Return pictures, each as its map shows it.

    Args:
        pictures: (n, height, width, channels) float32.
        matrices, offsets: (n, 2, 2) and (n, 2): a pixel shows the place `matrix @ pixel + offset`, in pixels down and
            to the right.
        fill: one of `FILLS`.
        value: beyond the border, for `constant`.
    """
    if fill == CONSTANT:  # a border of that value, and beyond it the nearest pixel
        offsets = offsets + 1
    changed = np.empty_like(pictures)
    size = max(1, _PIXELS // math.prod(pictures.shape[1:3]))
    for first in range(0, len(pictures), size):
        part = slice(first, first + size)
        places = _places(pictures.shape, matrices[part], offsets[part])
        _map_into(changed[part], _framed(pictures[part], value) if fill == CONSTANT else pictures[part], places, fill)
    return changed


def _framed(pictures: np.ndarray, value: float) -> np.ndarray:
    return np.pad(pictures, ((0, 0), (1, 1), (1, 1), (0, 0)), constant_values=value)


def _map_into(changed: np.ndarray, pictures: np.ndarray, places: list[np.ndarray], fill: str) -> None:
    """Write into `changed` what lies at places of pictures: the mean of four pixels, by their distances."""
    count, height, width, channels = pictures.shape
    between = _BETWEEN.get(fill, _between_nearest)
    (top, below, down), (left, beside, right) = (between(places[k], size) for k, size in enumerate((height, width)))
    pixels = pictures.reshape(-1) if channels == 1 else pictures.reshape(-1, channels)
    start = (np.arange(count) * height)[:, None, None]
    upper, lower = (start + top) * width, (start + below) * width
    if channels > 1:
        down, right = down[..., None], right[..., None]

    def blended(row: np.ndarray) -> np.ndarray:
        first = pixels.take(row + left, axis=0)
        change: np.ndarray = pixels.take(row + beside, axis=0)
        change -= first
        change *= right
        change += first
        return change

    above, under = blended(upper), blended(lower)
    under -= above
    under *= down
    np.add(above, under, out=changed.reshape(above.shape))


def _places(shape: tuple[int, ...], matrices: np.ndarray, offsets: np.ndarray) -> list[np.ndarray]:
    """Return for each pixel of mapped pictures the row and the column that it shows.

    Where no map turns or slants, rows have the shape (n, height, 1) and columns (n, 1, width), else (n, height, width).
    """
    axes = np.arange(shape[1])[:, None], np.arange(shape[2])
    if not matrices[:, (0, 1), (1, 0)].any():
        return [matrices[:, k, k, None, None] * axes[k] + offsets[:, k, None, None] for k in (0, 1)]
    return [
        (matrices[:, k, 0, None, None] * axes[0] + offsets[:, k, None, None]) + matrices[:, k, 1, None, None] * axes[1]
        for k in (0, 1)
    ]


# Each of these functions takes places along an axis and its length, and returns the pixels before and after each place,
# and how far between them it is, 0 to 1.
def _between_nearest(places: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    places = np.clip(places, 0, size - 1)
    before = places.astype(np.intp)
    return before, np.minimum(before + 1, size - 1), (places - before).astype("float32")


def _between_reflected(places: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    from_edge = np.mod(places + 0.5, 2 * size)
    return _between_nearest(np.minimum(from_edge, 2 * size - from_edge) - 0.5, size)


def _between_wrapped(places: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    floor = np.floor(places)
    before = floor.astype(np.intp) % size
    return before, (before + 1) % size, (places - floor).astype("float32")


_BETWEEN: dict[str, Callable[[np.ndarray, int], tuple[np.ndarray, np.ndarray, np.ndarray]]] = {
    REFLECT: _between_reflected,
    WRAP: _between_wrapped,
}
