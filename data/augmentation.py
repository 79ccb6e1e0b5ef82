"""Random changes of the training images in place and colour, drawn anew for each image in each epoch.

The raw images are changed, during training only, by NumPy: they are the same on every backend, and a thread beside the
training can change them. Rotation, shear, shift and zoom are one map of the picture, which is interpolated once;
brightness, contrast and shifts of channels are one product and sum of its pixels.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Self

import numpy as np

from ..errors import DataError, OptionError
from ..functions import require_known
from .dataset import CURVES, VOLUMES, Dataset
from .nests import Nest, is_array
from .pictures.mapping import CONSTANT, FILLS, NEAREST, mapped

FLIPS = ("horizontal", "vertical", "horizontal_and_vertical")
_HIGHEST = {
    "rotation": 180.0,
    "shift": 1.0,
    "shift_x": 1.0,
    "shift_y": 1.0,
    "zoom": 1.0,
    "shear": 80.0,
    "brightness": 1.0,
    "contrast": 1.0,
    "channel_shift": 1.0,
}
_TEXTS = ("flip", "fill")
_NOT_PICTURES = {CURVES: "curves", VOLUMES: "volumes"}


@dataclass(frozen=True)
class Augmentation:
    """The limits of the random changes; each change is drawn anew for each image.

    Attributes:
        rotation: up to this many degrees, either way; 0 to 180.
        shift: up to this fraction of the height and of the width, in any direction; 0 to 1.
        zoom: larger or smaller by up to this fraction; 0 to 1.
        flip: one of `FLIPS`, or empty for none.
        shift_x, shift_y: in place of `shift`, up to this fraction of the width to either side, or of the height up or
            down; 0 to 1.
        shear: upright lines lean by up to this many degrees, to either side; 0 to 80.
        brightness: brighter or darker by up to this fraction; 0 to 1.
        contrast: each channel farther from its mean or nearer to it, by up to this fraction; 0 to 1.
        channel_shift: up to this fraction of the range is added to or taken from each channel; 0 to 1.
        fill: what lies beyond the border: `nearest`, `constant`, `reflect` or `wrap`, see `pictures.mapping`.
        fill_value: of a `constant` fill, a value of a pixel.

    Raises:
        OptionError: a value is out of range, or two do not go together.
    """

    rotation: float = 0.0
    shift: float = 0.0
    zoom: float = 0.0
    flip: str = ""
    shift_x: float = 0.0
    shift_y: float = 0.0
    shear: float = 0.0
    brightness: float = 0.0
    contrast: float = 0.0
    channel_shift: float = 0.0
    fill: str = NEAREST
    fill_value: float = 0.0

    def __post_init__(self) -> None:
        for name, highest in _HIGHEST.items():
            value = getattr(self, name)
            if not 0 <= value <= highest:
                raise OptionError(f"augmentation {name} must be from 0 to {highest:g}, received {value:g}")
        if self.flip and self.flip not in FLIPS:
            raise OptionError(f"augmentation flip must be {' or '.join(FLIPS)}, received {self.flip!r}")
        if self.fill not in FILLS:
            raise OptionError(f"augmentation fill must be {' or '.join(FILLS)}, received {self.fill!r}")
        if self.shift and (self.shift_x or self.shift_y):
            raise OptionError("augmentation shift is both shift_x and shift_y: leave it out, or them")
        if self.fill_value and self.fill != CONSTANT:
            raise OptionError("augmentation fill_value is the value of a constant fill: add fill=constant")

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
        values = {name: str(value) if name in _TEXTS else _number(name, value) for name, value in changes.items()}
        return cls(**values)  # type: ignore[arg-type]

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    def __call__(self, images: Nest, key: tuple[int, ...]) -> np.ndarray:
        """Return the images, each changed in its own way; equal keys give equal changes, on every backend.

        Args:
            images: (n, height, width) grey, or (n, height, width, channels); any range of values.
            key: the seed of the random changes.

        Returns:
            The same shape, float32. Changed colours stay within 0 to 255 where pixels are bytes, else within the lowest
            and the highest value of the picture.

        Raises:
            DataError: the samples are not images, or cannot have the `fill_value`.
        """
        if not is_array(images):
            raise DataError("augmentation is for one array of pictures, and the data have several inputs")
        if images.ndim not in (3, 4):
            raise DataError(f"augmentation is for pictures (n, height, width), received shape {images.shape}")
        if images.dtype == np.uint8 and not 0 <= self.fill_value <= 255:
            raise DataError(f"augmentation fill_value must be from 0 to 255 for these pictures: {self.fill_value:g}")
        generator = np.random.default_rng(key)
        pictures = images.astype("float32").reshape(*images.shape[:3], -1)
        pictures = self._flipped(pictures, generator)
        maps = self._maps(pictures.shape, generator) if self._moves else None
        if self.brightness or self.contrast or self.channel_shift:
            pictures = self._coloured(pictures, images.dtype == np.uint8, generator)
        if maps:
            pictures = mapped(pictures, *maps, fill=self.fill, value=self.fill_value)
        return pictures.reshape(images.shape)

    @property
    def _moves(self) -> bool:
        """Whether pixels may come to lie elsewhere, but for flips."""
        return any((self.rotation, self.shift, self.shift_x, self.shift_y, self.zoom, self.shear))

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
        farthest = np.array((self.shift or self.shift_y, self.shift or self.shift_x))
        shift = generator.uniform(-farthest, farthest, (count, 2)) * size
        scale = generator.uniform(1 - self.zoom, 1 + self.zoom, count)
        cosine, sine = scale * np.cos(angle), scale * np.sin(angle)
        matrices = np.stack([np.stack([cosine, -sine], axis=-1), np.stack([sine, cosine], axis=-1)], axis=1)
        if self.shear:
            lean = np.tan(np.radians(generator.uniform(-self.shear, self.shear, count)))
            matrices[:, :, 0] += matrices[:, :, 1] * lean[:, None]
        centre = (size - 1) / 2
        return matrices, centre - (matrices @ centre) + shift

    def _coloured(self, pictures: np.ndarray, are_bytes: bool, generator: np.random.Generator) -> np.ndarray:
        """Return the pictures (n, height, width, channels) in other contrast and brightness, each channel shifted."""
        count, channels = pictures.shape[0], pictures.shape[3]
        contrast, brightness = (
            generator.uniform(1 - limit, 1 + limit, (count, 1, 1, 1)).astype("float32")
            for limit in (self.contrast, self.brightness)
        )
        shift = generator.uniform(-self.channel_shift, self.channel_shift, (count, 1, 1, channels)).astype("float32")
        if are_bytes:
            low, high = np.float32(0), np.float32(255)
        else:
            low, high = (end((1, 2, 3), keepdims=True) for end in (pictures.min, pictures.max))
        mean = pictures.mean((1, 2), keepdims=True)
        offset = low + (mean * (1 - contrast) - low) * brightness + shift * (high - low)
        coloured = pictures * (contrast * brightness)
        coloured += offset
        clipped: np.ndarray = np.clip(coloured, low, high, out=coloured)
        return clipped

    def require_classes_of_pictures(self, dataset: Dataset) -> None:
        """Raise a DataError if the samples are no pictures, or have masks, which would no longer lie on the changed
        pictures.
        """
        if dataset.kind in _NOT_PICTURES:
            raise DataError(
                f"{dataset.name} has {_NOT_PICTURES[dataset.kind]}: `augment` changes pictures, leave it out"
            )
        if dataset.labels and is_array(dataset.train.y) and dataset.train.y.ndim > 1:
            raise DataError(f"`augment` changes the pictures of {dataset.name}, but not their masks: leave it out")


def _number(name: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise OptionError(f"augmentation {name} must be a number, received {value!r}")
    return float(value)
