"""From a recipe and prepared data to a model that is ready to be trained."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ...errors import DataError, OptionError
from ...models.recipe import Recipe
from ..data import axes
from ..data.dataset import Dataset, Split
from ..keras_model.inference import fits, fixed_batch

if TYPE_CHECKING:
    import keras


def compile_model(
    model: keras.Model, recipe: Recipe, optimizer: str, learning_rate: float | None, targets: np.ndarray
) -> None:
    """Compile with the recipe's loss and metrics, or with ones chosen by what the targets are.

    Raises:
        OptionError: Keras knows no such optimizer.
    """
    import keras

    try:
        chosen = keras.optimizers.get(optimizer)
    except ValueError as error:
        raise OptionError(f"Keras knows no optimizer {optimizer!r} (try adam, sgd, rmsprop)") from error
    if learning_rate is not None:
        chosen.learning_rate = learning_rate
    loss, metrics = (recipe.loss, recipe.metrics) if recipe.loss else _choose_loss(model, targets)
    model.compile(optimizer=chosen, loss=loss, metrics=list(metrics))


def batch_size_of(model: keras.Model, recipe: Recipe, asked: int) -> int:
    """The batch size to train with: the one that the model was built for, where it was, else the one asked for.

    Raises:
        OptionError: another one was asked for than the model was built for.
    """
    size = fixed_batch(model)
    if size is not None and asked not in (size, recipe.batch_size):
        raise OptionError(f"{recipe.name} was built for batches of {size}, not of {asked}")
    return size or asked


def require_match(model: keras.Model, training: Split, dataset: Dataset) -> None:
    """Raise a DataError unless the model takes samples of the prepared shape."""
    if len(model.inputs) != 1 or fits(model, training.x):
        return
    expected, received = tuple(model.inputs[0].shape)[1:], training.x.shape[1:]
    raise DataError(
        f"{dataset.name}: a prepared sample has shape {received} but the model takes {expected} "
        f"(x_train is {dataset.train.x.shape} of {dataset.train.x.dtype})"
        + axes.remedy(received, lambda shape: axes.fits(expected, shape))
    )


def _choose_loss(model: keras.Model, targets: np.ndarray) -> tuple[str, tuple[str, ...]]:
    """A loss for a user's model that names none: by what its labels are, and how many outputs it has."""
    units = model.outputs[0].shape[-1]
    if targets.ndim == 1 and targets.dtype.kind in "biu":
        return ("binary_crossentropy" if units == 1 else "sparse_categorical_crossentropy"), ("accuracy",)
    return "mean_squared_error", ()
