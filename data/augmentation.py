"""Random rotation, shift, zoom and flip of the training images, drawn anew for each image in each epoch.

The raw images are changed, during training only, by NumPy: they are the same on every backend, and a thread beside the
training can change them. Rotation, shift and zoom are one map of the picture, which is interpolated once.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Self

import numpy as np

from ..errors import DataError, OptionError
from ..functions import require_known
from .dataset import Dataset
from .nests import Nest, is_array

FLIPS = ("horizontal", "vertical", "horizontal_and_vertical")
# As many pixels are mapped at a time as fit into a processor's cache.
_PIXELS = 2**14


@dataclass(frozen=True)
class Augmentation:
    """The limits of the random changes; each change is drawn anew for each image.

    Attributes:
        rotation: up to this many degrees, either way; 0 to 180.
        shift: up to this fraction of the height and of the width, in any direction; 0 to 1.
        zoom: larger or smaller by up to this fraction; 0 to 1.
        flip: one of `FLIPS`, or empty for none.

    Raises:
        OptionError: a value is out of range.
    """

    rotation: float = 0.0
    shift: float = 0.0
    zoom: float = 0.0
    flip: str = ""

    def __post_init__(self) -> None:
        for name, highest in (("rotation", 180.0), ("shift", 1.0), ("zoom", 1.0)):
            value = getattr(self, name)
            if not 0 <= value <= highest:
                raise OptionError(f"augmentation {name} must be from 0 to {highest:g}, received {value:g}")
        if self.flip and self.flip not in FLIPS:
            raise OptionError(f"augmentation flip must be {' or '.join(FLIPS)}, received {self.flip!r}")

    @classmethod
    def of(cls, changes: Self | Mapping[str, Any]) -> Self:
        """Return the augmentation of a mapping such as `{"rotation": 10, "flip": "horizontal"}`.

        Raises:
            OptionError: an unknown name, or a value out of range.
        """
        if isinstance(changes, cls):
            return changes
        known = [field.name for field in fields(cls)]
        if not isinstance(changes, Mapping) or not changes:
            listed = ", ".join(known)
            raise OptionError(f"`augment`: expected one or more of {listed} with a value, received {changes!r}")
        require_known("`augment`", changes, known)
        numbers = {name: _number(name, value) for name, value in changes.items() if name != "flip"}
        return cls(**numbers, flip=str(changes.get("flip", "")))

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    def __call__(self, images: Nest, key: tuple[int, ...]) -> np.ndarray:
        """Return the images, each changed in its own way; equal keys give equal changes, on every backend.

        Args:
            images: (n, height, width) grey, or (n, height, width, channels); any range of values.
            key: the seed of the random changes.

        Returns:
            The same shape, float32. New pixels at a border repeat the border.

        Raises:
            DataError: the samples are not images.
        """
        if not is_array(images):
            raise DataError("augmentation is for one array of pictures, and the data have several inputs")
        if images.ndim not in (3, 4):
            raise DataError(f"augmentation is for pictures (n, height, width), received shape {images.shape}")
        generator = np.random.default_rng(key)
        pictures = images.astype("float32").reshape(*images.shape[:3], -1)
        pictures = self._flipped(pictures, generator)
        if self.rotation or self.shift or self.zoom:
            pictures = _mapped(pictures, *self._maps(pictures.shape, generator))
        return pictures.reshape(images.shape)

    def _flipped(self, pictures: np.ndarray, generator: np.random.Generator) -> np.ndarray:
        """Return the pictures (n, height, width, channels), about half of them mirrored along each axis of the flip."""
        for name, axis in (("vertical", 1), ("horizontal", 2)):
            if name in self.flip:
                is_mirrored = generator.random(len(pictures)) < 0.5
                pictures = np.where(is_mirrored[:, None, None, None], np.flip(pictures, axis), pictures)
        return pictures

    def _maps(self, shape: tuple[int, ...], generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Return for each picture the map from a pixel of the result to the place in the picture that it shows.

        Args:
            shape: of the pictures: (n, height, width, channels).

        Returns:
            (n, 2, 2) matrices and (n, 2) offsets, in pixels down and to the right.
        """
        count, size = shape[0], np.array(shape[1:3])
        angle = np.radians(generator.uniform(-self.rotation, self.rotation, count))
        shift = generator.uniform(-self.shift, self.shift, (count, 2)) * size
        scale = generator.uniform(1 - self.zoom, 1 + self.zoom, count)
        cosine, sine = scale * np.cos(angle), scale * np.sin(angle)
        matrices = np.stack([np.stack([cosine, -sine], axis=-1), np.stack([sine, cosine], axis=-1)], axis=1)
        centre = (size - 1) / 2
        return matrices, centre - (matrices @ centre) + shift

    def require_classes_of_pictures(self, dataset: Dataset) -> None:
        """Raise a DataError if the pictures have masks, which would no longer lie on the changed pictures."""
        if dataset.labels and is_array(dataset.train.y) and dataset.train.y.ndim > 1:
            raise DataError(f"`augment` changes the pictures of {dataset.name}, but not their masks: leave it out")


def _mapped(pictures: np.ndarray, matrices: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """Return the pictures (n, height, width, channels), each as its map shows it, between pixels interpolated."""
    mapped = np.empty_like(pictures)
    size = max(1, _PIXELS // math.prod(pictures.shape[1:3]))
    for first in range(0, len(pictures), size):
        part = slice(first, first + size)
        _map_into(mapped[part], pictures[part], matrices[part], offsets[part])
    return mapped


def _map_into(mapped: np.ndarray, pictures: np.ndarray, matrices: np.ndarray, offsets: np.ndarray) -> None:
    """Write pictures into `mapped`, each as its map shows it: the mean of four pixels, by their distances."""
    count, height, width, channels = pictures.shape
    (top, below, down), (left, beside, right) = (
        _between(places, size)
        for places, size in zip(_places(pictures.shape, matrices, offsets), (height, width), strict=True)
    )
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
    np.add(above, under, out=mapped.reshape(above.shape))


def _places(shape: tuple[int, ...], matrices: np.ndarray, offsets: np.ndarray) -> list[np.ndarray]:
    """Return for each pixel of mapped pictures the row and the column that it shows.

    Where no map rotates, rows have the shape (n, height, 1) and columns (n, 1, width), else (n, height, width).
    """
    axes = np.arange(shape[1])[:, None], np.arange(shape[2])
    if not matrices[:, 0, 1].any():
        return [matrices[:, k, k, None, None] * axes[k] + offsets[:, k, None, None] for k in (0, 1)]
    return [
        (matrices[:, k, 0, None, None] * axes[0] + offsets[:, k, None, None]) + matrices[:, k, 1, None, None] * axes[1]
        for k in (0, 1)
    ]


def _between(places: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the pixels before and after places along an axis, and how far between them a place is, 0 to 1.

    Places beyond the border are at the border.
    """
    places = np.clip(places, 0, size - 1)
    before = places.astype(np.intp)
    return before, np.minimum(before + 1, size - 1), (places - before).astype("float32")


def _number(name: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise OptionError(f"augmentation {name} must be a number, received {value!r}")
    return float(value)
