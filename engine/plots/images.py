"""Samples as images that a plot shows: pictures as they look, arrays dark on light, and masks in colours."""

from __future__ import annotations

import numpy as np
from matplotlib.colors import to_rgb

from ...data.dataset import PICTURES, VOLUMES
from ...data.pictures.channels import to_colour

# Of the first classes of a mask: light grey, which is often the background, and colours distinguishable for the
# colour-blind (Okabe and Ito, 2008). Further classes repeat all but the first.
_CLASS_COLOURS = ("#e6e6e6", "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#F0E442", "#4d4d4d")


def to_images(x: np.ndarray, kind: str = "") -> np.ndarray:
    """Return samples (n, height, width, …) as images with grey or colour channels on the last axis.

    Args:
        kind: of the dataset. Grey pictures are returned in colour, as plots show grey values dark on light. Volumes
            (n, depth, height, width) are looked through from the front: each pixel is their mean along the depth.
    """
    if kind == VOLUMES:
        return np.asarray(x.mean(1, dtype="float32"))
    if kind == PICTURES:
        x = np.clip(np.rint(x), 0, 255).astype("uint8")  # augmented ones are floats
    if x.ndim == 3:
        return to_colour(x) if kind == PICTURES else x
    images = x.reshape(*x.shape[:3], -1)
    if images.shape[1] in (1, 3, 4) and images.shape[3] not in (1, 3, 4):
        images = np.moveaxis(images, 1, 3)
    return images if images.shape[3] in (1, 3, 4) else images[..., :1]


def mask_colours(classes: int) -> np.ndarray:
    """Return the colour of each class in a mask, (classes, 3) uint8."""
    repeated = [_CLASS_COLOURS[0]] + [_CLASS_COLOURS[1 + n % (len(_CLASS_COLOURS) - 1)] for n in range(classes - 1)]
    return np.array([[round(255 * part) for part in to_rgb(colour)] for colour in repeated], "uint8")
