"""Random rotation, shift, zoom and flip of the training images, drawn anew for each image in each epoch.

Keras' own preprocessing layers change the raw images during training only. They are not part of the model.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from ..backends import runtime
from ..errors import DataError, OptionError
from ..functions import require_known
from .dataset import Dataset
from .nests import Nest, is_array

if TYPE_CHECKING:
    import keras

FLIPS = ("horizontal", "vertical", "horizontal_and_vertical")


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
        """Return the images, each changed in its own way; equal keys give equal changes.

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
        seed = int(np.random.SeedSequence(key).generate_state(1)[0]) >> 1  # 31 bits: the seed must fit a signed integer
        augmented: Any = images.astype("float32").reshape(*images.shape[:3], -1)
        for number, layer in enumerate(self._layers):
            for state in layer.variables:  # the generator state; set, so that earlier calls have no influence
                state.assign([seed, number])
            augmented = layer(augmented, training=True)
        return _to_numpy(augmented).reshape(images.shape)

    def require_classes_of_pictures(self, dataset: Dataset) -> None:
        """Raise a DataError if the pictures have masks, which would no longer lie on the changed pictures."""
        if dataset.labels and is_array(dataset.train.y) and dataset.train.y.ndim > 1:
            raise DataError(f"`augment` changes the pictures of {dataset.name}, but not their masks: leave it out")

    @cached_property
    def _layers(self) -> list[keras.layers.Layer]:
        runtime.current()
        import keras

        fill = {"fill_mode": "nearest", "data_format": "channels_last"}
        layers = []
        if self.flip:
            layers.append(keras.layers.RandomFlip(self.flip, data_format="channels_last"))
        if self.rotation:
            layers.append(keras.layers.RandomRotation(self.rotation / 360, **fill))
        if self.shift:
            layers.append(keras.layers.RandomTranslation(self.shift, self.shift, **fill))
        if self.zoom:
            layers.append(keras.layers.RandomZoom(self.zoom, **fill))
        return layers


def _number(name: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise OptionError(f"augmentation {name} must be a number, received {value!r}")
    return float(value)


def _to_numpy(tensor: Any) -> np.ndarray:
    import keras

    return np.asarray(keras.ops.convert_to_numpy(tensor), "float32")
