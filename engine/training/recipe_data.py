"""The data of a recipe: those of the user or its own, with whole numbers as the model's loss takes them.

A file does not say whether its whole numbers are classes or values. A reader takes them for classes; a model that ends
in one linear value and is compiled with a loss of values says otherwise.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ...backends import keras_internals, runtime
from ...data.data_source import DataSource, dataset_of
from ...data.dataset import Dataset
from ...data.tables.targets import describe_guess
from ...errors import DataError
from ...models.recipe import Recipe
from ..keras_model.interface import output_names
from ..keras_model.loss_names import loss_names, names_of_losses
from . import losses, model_building
from .options import ResolvedOptions

if TYPE_CHECKING:
    import keras

_LOSSES_OF_VALUES = (
    *("meansquarederror", "meanabsoluteerror", "meanabsolutepercentageerror", "meansquaredlogarithmicerror"),
    *("huber", "logcosh", "poisson", "mse", "mae", "mape", "msle"),
)
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
    """Return the dataset with whole numbers as values where the model's loss is one of values.

    Labels that the data or the user declare stay classes.
    """
    open_sizes = options.preparation.open_sizes
    if not dataset.guesses_classes or options.start or options.recipe.loss or "classes" in open_sizes:
        return dataset
    sizes: dict[str, Any] = {name: {} if name == "categories" else _SOME_SIZE for name in open_sizes}
    runtime.current()
    with keras_internals.names_restored():
        model = model_building.uncompiled_model(options.with_fitted(sizes), None)
    outputs = _outputs_of_values(model, options.loss)
    if isinstance(dataset.labels, tuple):
        return _with_values(dataset) if outputs and len(model.outputs) == 1 else dataset
    values = {name: np.array(names, "float64") for name, names in dataset.labels.items() if name in outputs}
    changed = dataset.with_targets(lambda y: {**y, **{name: numbers[y[name]] for name, numbers in values.items()}})
    return replace(changed, labels={name: names for name, names in dataset.labels.items() if name not in values})


def _with_values(dataset: Dataset) -> Dataset:
    """Return a dataset of one target with its numbers as values, without the note that they are classes."""
    assert isinstance(dataset.labels, tuple)
    guesses = [describe_guess(target, dataset.train.y, dataset.labels) for target in dataset.targets]
    return replace(dataset.as_values(), notes=tuple(note for note in dataset.notes if note not in guesses))


def _outputs_of_values(model: keras.Model, loss: Any) -> set[str]:
    """Return the names of the outputs of one value that a loss of values compares, and that no sigmoid bounds."""
    import keras

    if loss is None and not model.compiled:
        return set()
    names = output_names(model)
    each = loss_names(model) if loss is None else names_of_losses(loss, names)
    return {
        name
        for name, output, kind in zip(names, model.outputs, each, strict=True)
        if output.shape[-1] == 1
        and any(of_values in kind.split() for of_values in _LOSSES_OF_VALUES)
        and losses.last_activation(model, name) is not keras.activations.sigmoid
    }
