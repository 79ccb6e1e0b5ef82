"""The channels of pictures: grey, or red, green and blue."""

from __future__ import annotations

import functools

import numpy as np

from ..dataset import Dataset
from ..nests import map_rows

# The luma of ITU-R Recommendation BT.601: of red, green and blue.
_LUMA = np.array([0.299, 0.587, 0.114])


def with_channels(dataset: Dataset, *, colour: bool) -> Dataset:
    """Return a dataset of pictures with all of them in colour, or all in grey."""
    return dataset.with_inputs(lambda x: map_rows(functools.partial(in_channels, colour=colour), x))


def in_channels(pictures: np.ndarray, *, colour: bool) -> np.ndarray:
    """Return pictures (n, height, width, …) in colour or in grey."""
    if is_colour(pictures) == colour:
        return pictures
    return to_colour(pictures) if colour else to_grey(pictures)


def to_colour(pictures: np.ndarray) -> np.ndarray:
    """Return grey pictures (…, height, width) in colour, (…, height, width, 3)."""
    return np.repeat(pictures[..., None], 3, axis=-1)


def to_grey(pictures: np.ndarray) -> np.ndarray:
    """Return pictures in colour (n, height, width, 3) in grey, (n, height, width) uint8, by their luma."""
    grey = np.empty(pictures.shape[:-1], "uint8")
    for place, picture in zip(grey, pictures, strict=True):  # one at a time: the luma is computed in float64
        place[...] = np.rint(picture @ _LUMA)
    return grey


def is_colour(pictures: np.ndarray) -> bool:
    """Return whether pictures (n, height, width, …) have three channels of colour."""
    return pictures.ndim == 4 and pictures.shape[-1] == 3
