"""The data of a recipe: those of the user or its own, with whole numbers as the model's loss takes them.

A file does not say whether its whole numbers are classes or values. A reader takes them for classes; a model that ends
in one linear value and is compiled with a loss of values says otherwise. Classes −1 and +1 reach a hinge loss as they
are.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ...backends import keras_internals, runtime
from ...data.data_source import DataSource, dataset_of
from ...data.dataset import Dataset
from ...data.nests import is_array
from ...data.preprocessing.transforms import OneHot, Signs
from ...data.tables.targets import describe_guess
from ...errors import DataError
from ...models.recipe import Recipe, step
from ..keras_model.interface import output_names
from ..keras_model.last_activation import last_activation
from ..keras_model.loss_names import loss_names, names_of_losses
from . import model_building
from .data_preparation import sizes_of
from .options import ResolvedOptions

if TYPE_CHECKING:
    import keras

_LOSSES_OF_VALUES = (
    *("meansquarederror", "meanabsoluteerror", "meanabsolutepercentageerror", "meansquaredlogarithmicerror"),
    *("huber", "logcosh", "poisson", "mse", "mae", "mape", "msle"),
)
# Keras' own names; they compare a row of probabilities with another one.
_LOSSES_OF_ROWS = ("categorical_crossentropy", "categorical_focal_crossentropy", "kl_divergence")
_SIGNS = ("-1", "1")
# Any number builds a model whose loss can be looked at.
_SOME_SIZE = 2


def dataset_for(recipe: Recipe, data: DataSource | None) -> Dataset:
    """Return the data that the user gave as a dataset, or else the recipe's own.

    Raises:
        DataError: the recipe has no data of its own, or the data cannot be read.
    """
    if data is not None and not (isinstance(data, str) and data == ""):
        return dataset_of(data)
    if recipe.dataset is None:
        raise DataError(
            f"{recipe.name} brings no data of its own: add `data` FILE.npz (x_train, y_train) or `data` mnist"
        )
    return dataset_of(recipe.dataset)


def as_trained(dataset: Dataset, options: ResolvedOptions) -> Dataset:
    """Return the dataset with its classes as the model's loss takes them.

    Whole numbers become values where the loss is one of values, signs where it is a hinge, and one-hot rows where it
    compares probability with probability. Labels that the data or the user declare stay classes.
    """
    open_sizes = options.preparation.open_sizes
    may_be_values = dataset.guesses_classes and not options.recipe.loss and "classes" not in open_sizes
    may_be_rows = _may_be_rows(dataset, options)
    keeps_end = options.start and not isinstance(options.replace_head, str)
    if keeps_end or not (may_be_values or may_be_rows):
        return dataset
    sizes: dict[str, Any] = {name: {} if name == "categories" else _SOME_SIZE for name in open_sizes}
    of_data = sizes_of(dataset, dataset.train)
    sizes |= {name: of_data[name] for name in open_sizes & {"classes", "picture_shape"} & of_data.keys()}
    runtime.current()
    with keras_internals.names_restored():
        model = model_building.uncompiled_model(options.with_fitted(sizes).without_weights(), None)
    if not getattr(model, "outputs", None):  # the caller says that it declares no inputs
        return dataset
    if may_be_rows and (rows := _row_loss(model, options)):
        return _with_rows(dataset, model.outputs[0].shape[-1], rows)
    if not may_be_values:
        return dataset
    if dataset.labels == _SIGNS and _has_hinge(model, options.loss):
        return replace(dataset, target_preparation=(step(Signs.kind),))
    outputs = _outputs_of_values(model, options.loss)
    if isinstance(dataset.labels, tuple):
        return _with_values(dataset) if outputs and len(model.outputs) == 1 else dataset
    values = {name: np.array(names, "float64") for name, names in dataset.labels.items() if name in outputs}
    changed = dataset.with_targets(lambda y: {**y, **{name: numbers[y[name]] for name, numbers in values.items()}})
    return replace(changed, labels={name: names for name, names in dataset.labels.items() if name not in values})


def _may_be_rows(dataset: Dataset, options: ResolvedOptions) -> bool:
    """Return whether the targets are a class for each sample, which no step of the recipe prepares."""
    has_classes = isinstance(dataset.labels, tuple) and len(dataset.labels) > 1 and not dataset.stream
    # A network of `keras.applications` takes any shape of pictures; it is compiled by trivium.
    is_prepared = options.recipe.targets or "picture_shape" in options.preparation.open_sizes
    return has_classes and is_array(dataset.train.y) and dataset.train.y.ndim == 1 and not is_prepared


def _row_loss(model: keras.Model, options: ResolvedOptions) -> str:
    """Return the loss that compares rows of probabilities, of a model with one output of several; else nothing."""
    if len(model.outputs) > 1 or len(model.outputs[0].shape) != 2 or (model.outputs[0].shape[-1] or 1) < 2:
        return ""
    names = _losses(model, options.loss if options.loss is not None else options.recipe.loss)[0].split()
    return next((name for name in _LOSSES_OF_ROWS if name.replace("_", "") in names), "")


def _with_rows(dataset: Dataset, classes: int, loss: str) -> Dataset:
    note = f"class numbers are rows of {classes} for the loss, {loss}"
    notes = dataset.notes if note in dataset.notes else (*dataset.notes, note)
    return replace(dataset, target_preparation=(step(OneHot.kind, classes=classes),), notes=notes)


def _with_values(dataset: Dataset) -> Dataset:
    """Return a dataset of one target with its numbers as values, without the note that they are classes."""
    assert isinstance(dataset.labels, tuple)
    guesses = [describe_guess(target, dataset.train.y, dataset.labels) for target in dataset.targets]
    return replace(dataset.as_values(), notes=tuple(note for note in dataset.notes if note not in guesses))


def _outputs_of_values(model: keras.Model, loss: Any) -> set[str]:
    """Return the names of the outputs of one value that a loss of values compares, and that no sigmoid bounds."""
    import keras

    each = zip(output_names(model), model.outputs, _losses(model, loss), strict=True)
    return {
        name
        for name, output, kind in each
        if output.shape[-1] == 1
        and any(of_values in kind.split() for of_values in _LOSSES_OF_VALUES)
        and last_activation(output) is not keras.activations.sigmoid
    }


def _has_hinge(model: keras.Model, loss: Any) -> bool:
    """Return whether the only output of a model, of one value, is compared by a hinge loss."""
    names = _losses(model, loss)
    return len(names) == 1 and model.outputs[0].shape[-1] == 1 and "hinge" in names[0]


def _losses(model: keras.Model, loss: Any) -> list[str]:
    """Return the name of the loss of each output: that of the user, else that which the model is compiled with."""
    if loss is not None:
        return names_of_losses(loss, output_names(model))
    return loss_names(model) if model.compiled else [""] * len(model.outputs)
