"""Compile a recipe's model, and check that it fits the prepared data."""

from __future__ import annotations

import contextlib
import dataclasses
from typing import TYPE_CHECKING

import numpy as np

from ...backends import runtime
from ...backends.same_run.randomness import portable_initial_weights
from ...errors import DataError, OptionError
from ...models.recipe import Recipe
from ..data import axes
from ..data.dataset import Dataset, Split
from ..epochs import precision as precisions
from ..keras_model.inference import accepts_shape, fixed_batch, require_full_batches
from . import fine_tuning
from .options import ResolvedOptions

if TYPE_CHECKING:
    import keras


def build_model(
    options: ResolvedOptions, dataset: Dataset, training: Split, precision: str | None
) -> tuple[keras.Model, ResolvedOptions]:
    """Build and compile the model of these options, its initial weights drawn from their seed.

    Args:
        options: in force.
        dataset: the data, for messages.
        training: its prepared training part.
        precision: the policy that the layers compute in, or None for Keras' own.

    Returns:
        The model, and the options with the batch size that it was built for.

    Raises:
        DataError: the data do not go with the model.
        OptionError: another batch size was asked for than the model was built for.
    """
    with precisions.global_policy(precision):
        model = _uncompiled_model(options, precision)
        require_match(model, training, dataset)
        size = resolve_batch_size(model, options.recipe, options.batch_size)
        require_full_batches(model, len(training), dataset.name)
        if not model.compiled or options.start:  # a user's own function may well have compiled it
            compile_model(model, options.recipe, options.optimizer, options.learning_rate, training.y)
    return model, dataclasses.replace(options, batch_size=size)


def _uncompiled_model(options: ResolvedOptions, precision: str | None) -> keras.Model:
    import keras

    keras.utils.set_random_seed(options.seed)
    if options.deterministic:
        runtime.current().make_deterministic()
    owned = portable_initial_weights(options.seed) if options.uses_own_randomness else contextlib.nullcontext()
    with owned:
        if options.start:
            started = fine_tuning.prepare_model(options.start, options.freeze, options.replace_head)
            return precisions.apply_policy(started, precision)
        return options.recipe(**options.options)


def compile_model(
    model: keras.Model, recipe: Recipe, optimizer: str, learning_rate: float | None, targets: np.ndarray
) -> None:
    """Compile with the recipe's loss and metrics, or with defaults for these targets.

    Raises:
        OptionError: Keras has no optimizer of this name.
    """
    import keras

    try:
        instance = keras.optimizers.get(optimizer)
    except ValueError as error:
        raise OptionError(f"Keras knows no optimizer {optimizer!r} (try adam, sgd, rmsprop)") from error
    if learning_rate is not None:
        instance.learning_rate = learning_rate
    loss, metrics = (recipe.loss, recipe.metrics) if recipe.loss else _choose_loss(model, targets)
    model.compile(optimizer=instance, loss=loss, metrics=list(metrics))


def resolve_batch_size(model: keras.Model, recipe: Recipe, batch_size: int) -> int:
    """Return the batch size to train with: the fixed one of the model if it has one, else the given one.

    Raises:
        OptionError: the user gave another batch size than the model was built for.
    """
    size = fixed_batch(model)
    if size is not None and batch_size not in (size, recipe.batch_size):
        raise OptionError(f"{recipe.name} was built for batches of {size}, not of {batch_size}")
    return size or batch_size


def require_match(model: keras.Model, training: Split, dataset: Dataset) -> None:
    """Raise a DataError unless the prepared samples fit the model's input."""
    if len(model.inputs) != 1 or accepts_shape(model, training.x):
        return
    expected, received = tuple(model.inputs[0].shape)[1:], training.x.shape[1:]
    raise DataError(
        f"{dataset.name}: a prepared sample has shape {received} but the model takes {expected} "
        f"(x_train is {dataset.train.x.shape} of {dataset.train.x.dtype})"
        + axes.reshape_advice(received, lambda shape: axes.shape_matches(expected, shape))
    )


def _choose_loss(model: keras.Model, targets: np.ndarray) -> tuple[str, tuple[str, ...]]:
    """Return a loss and metrics for a user's model that names none, by its targets and its number of outputs."""
    units = model.outputs[0].shape[-1]
    if targets.ndim == 1 and targets.dtype.kind in "biu":
        return ("binary_crossentropy" if units == 1 else "sparse_categorical_crossentropy"), ("accuracy",)
    return "mean_squared_error", ()
