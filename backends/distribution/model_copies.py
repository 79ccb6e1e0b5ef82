"""A compiled Keras model as bytes, for a copy of it in another place: another process, or the scope of a strategy."""

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

from ...errors import SpreadError, first_line
from ...functions import load_function
from ..epochs import layers_of

# What files of the user's own are imported as; see `functions.load_function`.
_USERS_OWN = "trivium_user_"


def pack(model: Any) -> np.ndarray:
    """The model with how it was compiled, (n,) uint8: Keras' own format.

    Raises:
        SpreadError: it cannot be saved.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.keras"
        try:
            with warnings.catch_warnings(action="ignore"):
                model.save(path)
        except Exception as error:  # whatever a user's own layers do when they are asked how they were made
            raise SpreadError(
                f"the model cannot be copied to several devices: {first_line(error)}; train it on one"
            ) from error
        return np.frombuffer(path.read_bytes(), np.uint8)


def unpack(packed: np.ndarray, known: Mapping[str, Any] | None = None) -> Any:
    """The model again, with variables of its own.

    Args:
        packed: what `pack` gave. It is this program's own, so code in it may run.
        known: classes by their names that need not be looked for.

    Raises:
        SpreadError: something in it is not to be found here.
    """
    import keras

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.keras"
        path.write_bytes(packed.tobytes())
        try:
            with warnings.catch_warnings(action="ignore"), keras.saving.custom_object_scope(dict(known or {})):
                model = keras.saving.load_model(path, safe_mode=False)
        except Exception as error:  # whatever is missing here of what a user's model consists of
            raise SpreadError(
                f"the model cannot be built on several devices: {first_line(error)}; train it on one"
            ) from error
    if not getattr(model, "compiled", False) or model.optimizer is None:
        raise SpreadError(
            "the model cannot be built on several devices: its loss or its metrics cannot be saved; train it on one"
        )
    if not model.optimizer.built:
        model.optimizer.build(model.trainable_variables)
    return model


def classes_of(model: Any) -> dict[str, Any]:
    """The classes of its layers by their names, those aside that Keras finds by itself."""
    kinds = {type(layer) for layer in layers_of(model)}
    return {kind.__name__: kind for kind in kinds if not kind.__module__.startswith("keras.")}


def users_files() -> list[str]:
    """What `load_function` takes to import again what was imported here from files of the user's own."""
    modules = [module for name, module in list(sys.modules.items()) if name.startswith(_USERS_OWN)]
    return [f"{module.__file__}:{function}" for module in modules for function in _functions_of(module)[:1]]


def import_files(names: list[str]) -> None:
    """Import the files that `users_files` named, so that what is in them is found."""
    for name in names:
        with contextlib.suppress(Exception):  # what is missing is said by whoever needs it
            load_function(name)


def _functions_of(module: ModuleType) -> list[str]:
    return [name for name, value in vars(module).items() if inspect.isroutine(value) or inspect.isclass(value)]
