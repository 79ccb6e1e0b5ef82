"""The numbers that the embeddings of a model know: a framework fails at others, or takes another row without a word."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ...backends import keras_internals
from ...data.nests import Nest, arrays_of, head
from ...errors import DataError
from .interface import input_names

if TYPE_CHECKING:
    import keras

# Samples that are looked at where they are read from their files.
_DEFERRED_SAMPLES = 65_536


def require_known_tokens(model: keras.Model, x: Nest, is_deferred: bool = False) -> None:
    """Raise a DataError unless each embedding of an input has a row for each of its numbers.

    Args:
        model: with declared inputs.
        x: (n, …) prepared samples, in the nest of the model.
        is_deferred: whether they are read from their files: then the first are looked at.
    """
    import keras

    arrays = arrays_of(head(x, _DEFERRED_SAMPLES) if is_deferred else x)
    tables: dict[int, keras.layers.Embedding] = {}
    for layer in keras_internals.all_layers(model):
        if isinstance(layer, keras.layers.Embedding):
            tables |= {id(tensor): layer for tensor in keras_internals.inputs_of(layer)}
    for name, tensor, array in zip(input_names(model), model.inputs, arrays, strict=True):
        if (layer := tables.get(id(tensor))) and array.size:
            _require_rows(layer, name, array)


def _require_rows(layer: keras.layers.Embedding, name: str, array: np.ndarray) -> None:
    low, high = int(array.min()), int(array.max())
    if low < 0 or high >= layer.input_dim:
        remedy = "number them from 0" if low < 0 else f"give it input_dim={high + 1}, or leave them out"
        raise DataError(
            f"the layer {layer.name} (Embedding) has rows for the numbers 0 to {layer.input_dim - 1}, but the input "
            f"{name} holds numbers from {low} to {high}: {remedy}"
        )
