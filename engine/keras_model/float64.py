"""Convert a model to float64, where rounding differences between backends vanish and real ones remain."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from ...backends import keras_internals


def to_float64(model: keras.Model) -> keras.Model:
    """Return a copy of the model in float64, with its weights, and its optimizer with its state.

    Call it while `keras.config.floatx()` is float64. Setting floatx alone is not enough for a saved model, because its
    layers carry their dtypes.
    """
    with keras_internals.serialization():
        config, compile_config = keras.saving.serialize_keras_object(model), model.get_compile_config()
    copy = keras.saving.deserialize_keras_object(_cast_config(config))
    copy.set_weights(model.get_weights())
    if model.compiled and model.optimizer is not None and model.optimizer.built:
        if not copy.compiled:
            copy.compile_from_config(compile_config)
        copy.optimizer.build(copy.trainable_variables)
        for target, source in zip(copy.optimizer.variables, model.optimizer.variables, strict=True):
            target.assign(np.array(source.numpy()))
    return copy


def _cast_config(config: Any) -> Any:
    if isinstance(config, dict):
        return {key: _cast_config(value) for key, value in config.items()}
    if isinstance(config, list | tuple):
        return type(config)(_cast_config(value) for value in config)
    return "float64" if config == "float32" else config
