"""The networks of `keras.applications`, for the smallest pictures that each takes, and ten classes."""

from __future__ import annotations

import keras

_SIDES = {"Xception": 71, "InceptionV3": 75, "InceptionResNetV2": 75}
_SIDE = 32
_CLASSES = 10


def build(name: str) -> keras.Model:
    """Return the network, with random weights."""
    side = _SIDES.get(name, _SIDE)
    network = getattr(keras.applications, name)
    return network(weights=None, input_shape=(side, side, 3), classes=_CLASSES, classifier_activation=None)
