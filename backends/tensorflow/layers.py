"""Faster layers for TensorFlow that compute the same function as Keras' layers while a model trains."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any

from ..epochs import layers_of
from ..tuned_layers import Tuning, tuned_layers
from .batch_normalization import fused, is_fusable

_TUNINGS: list[Tuning] = [(is_fusable, "call", fused)]


def tuned(model: Any) -> AbstractContextManager[None]:
    """Within this context, the model's layers use the fastest implementation of the same function."""
    return tuned_layers(layers_of(model), _TUNINGS)
