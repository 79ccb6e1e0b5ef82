"""Find the classes and functions of a model in the file that it was trained by, for Keras to build the model from them.

The file registers them with Keras when it is imported, has them at its top, or defines them within the function that
builds the model. In the last case the function is called, and its model is discarded. All this runs the user's file,
and so is done for a trusted model only (`trust.py`).
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterable
from types import ModuleType
from typing import Any

from ...backends import keras_internals
from ...errors import RecipeError, first_line
from ...functions import load_function, takes_arguments


def from_file(recipe: str, names: Iterable[str]) -> dict[str, Any]:
    """Import the file of a recipe, and return those classes and functions that it has at its top.

    Args:
        recipe: `file.py:function`.
        names: of classes and functions, as the model's configuration has them.

    Raises:
        RecipeError: the file is missing, raises an error, or has no such function.
    """
    module = sys.modules[load_function(recipe).__module__]
    candidates = {name: getattr(module, name, None) for name in names}
    return {name: value for name, value in candidates.items() if _is_models_own(value, module)}


def from_function(recipe: str, names: Iterable[str]) -> dict[str, Any]:
    """Call the function of a recipe, and return those classes that its model has layers of.

    Raises:
        RecipeError: as `from_file`; or the function raises an error.
    """
    layers = keras_internals.all_layers(model) if (model := _build(load_function(recipe))) else []
    kinds = {type(layer).__name__: type(layer) for layer in layers if not keras_internals.is_keras_own(type(layer))}
    return {name: kinds[name] for name in names if name in kinds}


def can_be_called(recipe: str) -> bool:
    """Return whether the function of a recipe builds its model without arguments."""
    return takes_arguments(load_function(recipe), 0)


def _build(function: Callable[[], Any]) -> Any:
    import keras

    try:
        with keras_internals.names_restored():
            model = function()
    except Exception as error:  # whatever the user's function raises
        raise RecipeError(f"{function.__name__}: {type(error).__name__}: {first_line(error)}") from error
    return model if isinstance(model, keras.Model) else None


def _is_models_own(value: Any, module: ModuleType) -> bool:
    """Return whether a value in the file can be a part of a model: a class of Keras' kind, or a function of its own."""
    if inspect.isclass(value):
        return hasattr(value, "from_config")
    return inspect.isfunction(value) and value.__module__ == module.__name__
