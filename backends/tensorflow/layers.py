"""Faster layers for TensorFlow that compute the same function as Keras' layers: none yet."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any


def tuned(model: Any) -> AbstractContextManager[None]:
    """Within this context, the model's layers use the fastest implementation of the same function."""
    return nullcontext()
