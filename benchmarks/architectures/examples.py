"""Models as keras.io's examples write them, with few and narrow layers: one function each in the two modules below."""

from __future__ import annotations

import keras

from . import example_pictures, example_sequences


def build(name: str) -> keras.Model:
    """Return the model of this name."""
    builder = getattr(example_pictures, name, None) or getattr(example_sequences, name)
    model: keras.Model = builder()
    return model
