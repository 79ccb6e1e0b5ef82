"""Serialise a compiled Keras model, to copy it to another process or into the scope of a distribution strategy."""

from __future__ import annotations

import contextlib
import inspect
import sys
import tempfile
import warnings
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from ...errors import DistributionError, first_line
from ...functions import load_function
from .. import keras_internals
from ..epochs import layers_of

# Prefix of the names under which `functions.load_function` imports the user's files.
_USER_MODULE_PREFIX = "trivium_user_"


def pack(model: Any) -> np.ndarray:
    """Return a compiled model in Keras' own format, (n,) uint8.

    Raises:
        DistributionError: Keras cannot save the model.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.keras"
        try:
            with warnings.catch_warnings(action="ignore"), keras_internals.serialization():
                model.save(path)
        except Exception as error:  # `get_config` of the user's layers may raise anything
            raise DistributionError(
                f"the model cannot be copied to several devices: {first_line(error)}; train it on one"
            ) from error
        return np.frombuffer(path.read_bytes(), np.uint8)


def unpack(packed: np.ndarray, known: Mapping[str, Any] | None = None) -> Any:
    """Return the model with new variables.

    Args:
        packed: the result of `pack`. It comes from this program, so code in it is trusted.
        known: custom classes by name, for Keras to look up.

    Raises:
        DistributionError: something in it cannot be found in this process, or was not saved.
    """
    import keras

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.keras"
        path.write_bytes(packed.tobytes())
        try:
            with warnings.catch_warnings(action="ignore"), keras.saving.custom_object_scope(dict(known or {})):
                model = keras.saving.load_model(path, safe_mode=False)
        except Exception as error:  # the user's classes may be missing here or may raise anything
            raise DistributionError(
                f"the model cannot be built on several devices: {first_line(error)}; train it on one"
            ) from error
    if not getattr(model, "compiled", False) or model.optimizer is None:
        raise DistributionError(
            "the model cannot be built on several devices: its loss or its metrics cannot be saved; train it on one"
        )
    if not model.optimizer.built:
        model.optimizer.build(model.trainable_variables)
    return model


def classes_of(model: Any) -> dict[str, Any]:
    """Return the classes of the model's layers by name, without those that Keras finds by itself."""
    kinds = {type(layer) for layer in layers_of(model)}
    return {kind.__name__: kind for kind in kinds if not kind.__module__.startswith("keras.")}


def user_files() -> list[str]:
    """Return the names with which `load_function` imports, in another process, the user's files imported here."""
    modules = [module for name, module in list(sys.modules.items()) if name.startswith(_USER_MODULE_PREFIX)]
    return [f"{module.__file__}:{function}" for module in modules for function in _functions_of(module)[:1]]


def import_files(names: list[str]) -> None:
    """Import the files that `user_files` returned, which registers the classes in them."""
    for name in names:
        with contextlib.suppress(Exception):  # building the model reports what is missing
            load_function(name)


def _functions_of(module: ModuleType) -> list[str]:
    return [name for name, value in vars(module).items() if inspect.isroutine(value) or inspect.isclass(value)]
