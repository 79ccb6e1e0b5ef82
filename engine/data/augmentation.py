"""Pictures turned, moved, enlarged and mirrored a little, so that a model sees each one anew in every epoch.

Keras' own preprocessing layers do it, on raw pictures, in training only: nothing of it is in the model.
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
    """How far a picture may be changed; each change is drawn anew for each picture.

    Attributes:
        rotation: by up to so many degrees, either way.
        shift: by up to this share of the height and of the width, any way.
        zoom: larger or smaller by up to this share.
        flip: one of `FLIPS`, or empty for none.

    Raises:
        OptionError: a value that cannot be.
    """

    rotation: float = 0.0
    shift: float = 0.0
    zoom: float = 0.0
    flip: str = ""

    def __post_init__(self) -> None:
        for name, most in (("rotation", 180.0), ("shift", 1.0), ("zoom", 1.0)):
            value = getattr(self, name)
            if not 0 <= value <= most:
                raise OptionError(f"augmentation {name} must be from 0 to {most:g}, received {value:g}")
        if self.flip and self.flip not in FLIPS:
            raise OptionError(f"augmentation flip must be {' or '.join(FLIPS)}, received {self.flip!r}")

    @classmethod
    def parse(cls, text: str) -> Self:
        """From words such as `rotation=10,shift=0.1,zoom=0.1,flip=horizontal`.

        Raises:
            OptionError: something else stands there.
        """
        known = [field.name for field in fields(cls)]
        given: dict[str, Any] = {}
        for entry in text.split(","):
            name, equals, value = entry.strip().partition("=")
            if name not in known or not equals:
                raise OptionError(
                    f"--augment {text}: {entry.strip()!r} is not one of {', '.join(known)} with a value"
                    f"{suggest(name, known)} (such as rotation=10,shift=0.1,flip=horizontal)"
                )
            given[name] = value if name == "flip" else _number(name, value)
        return cls(**given)

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    def __call__(self, images: np.ndarray, key: tuple[int, ...]) -> np.ndarray:
        """The pictures, each changed in its own way; the same key changes them in the same way.

        Args:
            images: (n, height, width) grey, or (n, height, width, channels); any range of values.
            key: of the choices.

        Returns:
            The same shape, float32. What comes into view at a border repeats the border.

        Raises:
            DataError: the samples are no pictures.
        """
        if images.ndim not in (3, 4):
            raise DataError(f"augmentation is for pictures (n, height, width), received shape {images.shape}")
        seed = int(np.random.SeedSequence(key).generate_state(1)[0]) >> 1  # a seed that a signed integer holds too
        changed: Any = images.astype("float32").reshape(*images.shape[:3], -1)
        for number, layer in enumerate(self._layers):
            for state in layer.variables:  # the layer draws by these; set, so that no earlier call matters
                state.assign([seed, number])
            changed = layer(changed, training=True)
        return _to_numpy(changed).reshape(images.shape)

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
