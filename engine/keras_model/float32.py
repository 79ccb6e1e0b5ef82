"""Convert a model that computes in float16, bfloat16, float64 or a mixed precision to float32, which source is in."""

from __future__ import annotations

import keras

from ...backends import keras_internals
from .float64 import copy_in

OTHERS = frozenset(("float16", "bfloat16", "float64", "mixed_float16", "mixed_bfloat16"))


def to_float32(model: keras.Model) -> keras.Model:
    """Return a copy of the model in float32, with its weights; one that is all in float32 is returned as it is."""
    layers = keras_internals.all_layers(model)
    dtypes = {str(dtype) for layer in layers for dtype in (layer.compute_dtype, layer.variable_dtype)}
    return copy_in(model, "float32", OTHERS) if dtypes & OTHERS else model
