"""Whole models in Keras' own files: a `.keras` or `.h5` file, which has no preparation, no labels and no record.

Its inputs are taken as they stand. Where an output tells classes apart, they are named by their numbers.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ...backends import keras_internals, runtime
from ...data.dataset import Labels
from ...data.from_arrays import NAME as ARRAYS
from ...data.preprocessing.pipeline import Preprocessing
from ...errors import BundleError, FileError
from ...models.recipe import Recipe
from ...storage import safe_hdf5
from ...storage.regular_file import read_regular, require_regular
from ..keras_model.interface import by_name, input_names, output_names
from ..keras_model.last_activation import last_activation
from ..keras_model.loss_names import loss_names
from ..keras_model.model_bytes import for_any_backend, keras_bytes, without_advice
from . import keras_files
from .bundle import Bundle
from .keras2.configuration import is_keras2

if TYPE_CHECKING:
    import keras

# The backend of a model file, which does not record it.
UNKNOWN_BACKEND = "keras"


def is_model_file(source: Any) -> bool:
    """Return whether a source is the path of one of Keras' own files: a whole model or weights."""
    if not isinstance(source, str | Path):
        return False
    path = Path(source)
    try:
        require_regular(path)
        return path.is_file() and keras_files.is_model(path)
    except (FileError, OSError, ValueError):
        return False


def load(path: Path, *, compiled: bool = True) -> keras.Model:
    """Build the model in a file, without running code from the file.

    Args:
        path: of a whole model.
        compiled: whether the model must be compiled as it was, if it was; else it comes without its compilation where
            that has parts of its author's own, such as a loss.

    Raises:
        FileError: the file is damaged or hostile.
        BundleError: it holds weights alone, would run untrusted code, declares no inputs, or Keras refuses it.
    """
    runtime.current()
    content = read_regular(path)
    model_file = keras_files.examine(content, str(path))
    if model_file.format == "keras":
        content = for_any_backend(content)
    model = _load(content, str(path), compiled)
    if model_file.format == "h5" and model.compiled and not is_keras2(model_file.keras_version):
        _restore_optimizer(model, content, str(path))
    if not getattr(model, "inputs", None):
        raise BundleError(f"{path} holds a model without declared inputs: begin it with keras.Input and save it again")
    return model


def _load(content: bytes, what: str, compiled: bool) -> keras.Model:
    with without_advice(), warnings.catch_warnings():
        # Of an optimizer that has not made a step yet.
        warnings.filterwarnings("ignore", ".*whereas the saved optimizer has 2 variables")
        try:
            return keras_files.load_model(content, what)
        except BundleError as error:
            uncompiled = _without_compilation(content, what)
            if uncompiled is None:
                raise
            if compiled:
                raise BundleError(
                    f"{error} (only its compilation needs it: name a `loss` where the model is trained, or load it in "
                    "a file.py:function)"
                ) from error
            return uncompiled


def _without_compilation(content: bytes, what: str) -> keras.Model | None:
    try:
        return keras_files.load_model(content, what, compiled=False)
    except BundleError:
        return None


def _restore_optimizer(model: keras.Model, content: bytes, what: str) -> None:
    """Restore the state of the optimizer from an `.h5` file: Keras 3 loses that of a Sequential model.

    A state in another order is left out: the optimizer then begins anew.
    """
    with safe_hdf5.open_checked(content, what) as (file, _):
        group = file.get("optimizer_weights")
        stored = [*safe_hdf5.arrays_listed(group, "weight_names").values()] if group else []
    optimizer = type(model.optimizer).from_config(model.optimizer.get_config())
    optimizer.build(model.trainable_variables)
    if [array.shape for array in stored] == [tuple(variable.shape) for variable in optimizer.variables]:
        for variable, array in zip(optimizer.variables, stored, strict=True):
            variable.assign(array)
        model.compile(**{**keras_internals.compile_arguments(model), "optimizer": optimizer})


def load_bundle(path: Path, *, compiled: bool = True) -> Bundle:
    """Return the model in a file as a bundle without preparation; its recorded samples are none.

    Args:
        path, compiled: as in `load`.

    Raises:
        FileError, BundleError: as `load`.
    """
    model = load(path, compiled=compiled)
    record = {
        "recipe": str(path),
        "settings": {},
        "dataset": {"name": ARRAYS},
        "environment": {"backend": UNKNOWN_BACKEND},
    }
    nothing = [by_name(names, [_no_sample(tensor) for tensor in tensors]) for names, tensors in _sides(model)]
    return Bundle(keras_bytes(model), Preprocessing(), class_numbers(model), record, *nothing)


def class_numbers(model: keras.Model) -> Labels:
    """Return the names of the classes that a model's outputs tell apart: their numbers.

    An output tells classes apart if it ends in a softmax, or if its loss compares classes.
    """
    losses = loss_names(model) if model.compiled else [""] * len(model.outputs)
    each = zip(output_names(model), model.outputs, losses, strict=True)
    numbers = {name: tuple(map(str, range(_class_count(output, loss)))) for name, output, loss in each}
    if len(numbers) == 1:
        return next(iter(numbers.values()))
    return {name: names for name, names in numbers.items() if names}


def recipe_of_file(name: str, build: Callable[[], keras.Model]) -> Recipe:
    """Return a recipe whose model comes out of a file; its data are prepared as for a user's own model."""
    return Recipe(name, "a model in a file", build, validation="auto")


def _class_count(output: Any, loss: str) -> int:
    """Return how many classes an output of one position tells apart; 0 if it holds something else."""
    import keras

    units = output.shape[-1]
    if len(output.shape) != 2 or units is None:
        return 0
    if units == 1:
        return 2 if "binarycrossentropy" in loss or "binaryfocal" in loss else 0
    is_softmax = last_activation(output) in (keras.activations.softmax, keras.activations.log_softmax)
    return units if is_softmax or "categorical" in loss else 0


def _sides(model: keras.Model) -> list[tuple[list[str], list[Any]]]:
    return [(input_names(model), model.inputs), (output_names(model), model.outputs)]


def _no_sample(tensor: Any) -> np.ndarray:
    return np.zeros((0, *(length or 0 for length in tensor.shape[1:])), "float32")
