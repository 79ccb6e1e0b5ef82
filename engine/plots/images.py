"""Samples as images that a plot shows: as bright as their values are high, and masks in colours."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.colors import to_rgb

from ...data.dataset import PICTURES, VOLUMES

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Of the first classes of a mask: light grey, which is often the background, and colours distinguishable for the
# colour-blind (Okabe and Ito, 2008). Further classes repeat all but the first.
_CLASS_COLOURS = ("#e6e6e6", "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#F0E442", "#4d4d4d")

_FAINTEST = 16  # bytes up to this one have a range of their own, such as 0 to 16


def to_images(x: np.ndarray, kind: str = "") -> np.ndarray:
    """Return samples (n, height, width, …) as images with grey or colour channels on the last axis.

    Args:
        kind: of the dataset. Volumes (n, depth, height, width) are looked through from the front: each pixel is their
            mean along the depth.
    """
    if kind == VOLUMES:
        return np.asarray(x.mean(1, dtype="float32"))
    if kind == PICTURES:
        x = np.clip(np.rint(x), 0, 255).astype("uint8")  # augmented ones are floats
    if x.ndim == 3:
        return x
    images = x.reshape(*x.shape[:3], -1)
    if images.shape[1] in (1, 3, 4) and images.shape[3] not in (1, 3, 4):
        images = np.moveaxis(images, 1, 3)
    return images if images.shape[3] in (1, 3, 4) else images[..., :1]


def brightness_range(*images: np.ndarray) -> tuple[float, float]:
    """Return the values of black and of white, the same for all images of a plot.

    They are 0 and 255 for bytes that use more than a sixteenth of them; for other values 0 and 255, or 0 and 1, where
    most of that range is used. Otherwise they are the lowest and the highest value.
    """
    finite = [values[np.isfinite(values)] for values in images if values.size]
    if not any(values.size for values in finite):
        return 0.0, 1.0
    low = float(min(values.min() for values in finite if values.size))
    high = float(max(values.max() for values in finite if values.size))
    if high > _FAINTEST and all(values.dtype == np.uint8 for values in images):
        return 0.0, 255.0
    for white in (1.0, 255.0):
        if low >= 0 and white / 2 < high <= white:
            return 0.0, white
    return (low, high) if low < high else (low, low + 1)


def draw_image(axes: Axes, image: np.ndarray, ends: tuple[float, float]) -> None:
    """Draw an image, in which high values are bright.

    Args:
        image: (height, width) or (height, width, channels): one is grey, three or four are colours.
        ends: the values of black and of white.
    """
    pixels = image[..., 0] if image.ndim == 3 and image.shape[-1] == 1 else image
    shares = np.clip((pixels.astype("float64") - ends[0]) / (ends[1] - ends[0]), 0, 1)
    axes.imshow(shares, cmap="gray", vmin=0, vmax=1, interpolation="nearest")


def mask_colours(classes: int) -> np.ndarray:
    """Return the colour of each class in a mask, (classes, 3) uint8."""
    repeated = [_CLASS_COLOURS[0]] + [_CLASS_COLOURS[1 + n % (len(_CLASS_COLOURS) - 1)] for n in range(classes - 1)]
    return np.array([[round(255 * part) for part in to_rgb(colour)] for colour in repeated], "uint8")
