"""A saved model in float64: what two backends make of it then differs by next to nothing, unless they differ."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np


def widened(model: keras.Model) -> keras.Model:
    """The model with float64 for every float32, its weights, and its optimizer with all that it remembers.

    To be called while Keras' own floats are float64; a saved model has its dtypes written into every layer.
    """
    found = keras.saving.deserialize_keras_object(_in_double(keras.saving.serialize_keras_object(model)))
    found.set_weights(model.get_weights())
    if model.compiled and model.optimizer is not None and model.optimizer.built:
        if not found.compiled:
            found.compile_from_config(model.get_compile_config())
        found.optimizer.build(found.trainable_variables)
        for mine, theirs in zip(found.optimizer.variables, model.optimizer.variables, strict=True):
            mine.assign(np.array(theirs.numpy()))
    return found


def _in_double(config: Any) -> Any:
    if isinstance(config, dict):
        return {key: _in_double(value) for key, value in config.items()}
    if isinstance(config, list | tuple):
        return type(config)(_in_double(value) for value in config)
    return "float64" if config == "float32" else config
