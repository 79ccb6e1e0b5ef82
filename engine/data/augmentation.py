"""Random rotation, shift, zoom and flip of the training images, drawn anew for each image in each epoch.

Keras' own preprocessing layers change the raw images during training only. They are not part of the model.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, fields
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from ...backends import runtime
from ...errors import DataError, OptionError
from ...functions import suggest

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
    def parse(cls, text: str) -> Self:
        """Parse a setting such as `rotation=10,shift=0.1,zoom=0.1,flip=horizontal`.

        Raises:
            OptionError: the text has another form, an unknown name, or a value out of range.
        """
        known = [field.name for field in fields(cls)]
        settings: dict[str, Any] = {}
        for entry in text.split(","):
            name, equals, value = entry.strip().partition("=")
            if name not in known or not equals:
                raise OptionError(
                    f"`augment` {text}: {entry.strip()!r} is not one of {', '.join(known)} with a value"
                    f"{suggest(name, known)} (such as rotation=10,shift=0.1,flip=horizontal)"
                )
            settings[name] = value if name == "flip" else _number(name, value)
        return cls(**settings)

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    def __call__(self, images: np.ndarray, key: tuple[int, ...]) -> np.ndarray:
        """Return the images, each changed in its own way; equal keys give equal changes.

        Args:
            images: (n, height, width) grey, or (n, height, width, channels); any range of values.
            key: the seed of the random changes.

        Returns:
            The same shape, float32. New pixels at a border repeat the border.

        Raises:
            DataError: the samples are not images.
        """
        if images.ndim not in (3, 4):
            raise DataError(f"augmentation is for pictures (n, height, width), received shape {images.shape}")
        seed = int(np.random.SeedSequence(key).generate_state(1)[0]) >> 1  # 31 bits: the seed must fit a signed integer
        augmented: Any = images.astype("float32").reshape(*images.shape[:3], -1)
        for number, layer in enumerate(self._layers):
            for state in layer.variables:  # the generator state; set, so that earlier calls have no influence
                state.assign([seed, number])
            augmented = layer(augmented, training=True)
        return _to_numpy(augmented).reshape(images.shape)

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


def _number(name: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise OptionError(f"augmentation {name} must be a number, received {text!r}")
    return value


def _to_numpy(tensor: Any) -> np.ndarray:
    import keras

    return np.asarray(keras.ops.convert_to_numpy(tensor), "float32")
