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
    compile_config = model.get_compile_config()
    copy = copy_in(model, "float64", frozenset(("float32",)))
    if model.compiled and model.optimizer is not None and model.optimizer.built:
        if not copy.compiled:
            copy.compile_from_config(compile_config)
        copy.optimizer.build(copy.trainable_variables)
        for target, source in zip(copy.optimizer.variables, model.optimizer.variables, strict=True):
            target.assign(np.array(source.numpy()))
    return copy


def copy_in(model: keras.Model, dtype: str, instead_of: frozenset[str]) -> keras.Model:
    """Return a copy of a model with its weights, in which each of some dtypes and policies is another."""
    with keras_internals.serialization():
        config = keras.saving.serialize_keras_object(model)
    # The model is in this process: whatever code it has was let in before.
    copy = keras.saving.deserialize_keras_object(_cast_config(config, dtype, instead_of), safe_mode=False)
    copy.set_weights(model.get_weights())
    return copy


def _cast_config(config: Any, dtype: str, instead_of: frozenset[str]) -> Any:
    if isinstance(config, dict):
        return {key: _cast_config(value, dtype, instead_of) for key, value in config.items()}
    if isinstance(config, list | tuple):
        return type(config)(_cast_config(value, dtype, instead_of) for value in config)
    return dtype if isinstance(config, str) and config in instead_of else config
