"""Compile a recipe's model, and check that it fits the prepared data."""

from __future__ import annotations

import contextlib
import functools
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ...backends import keras_internals, runtime
from ...backends.epochs import has_written_losses
from ...backends.same_run.randomness import portable_initial_weights
from ...data import axes
from ...data.dataset import Dataset, Split
from ...data.nests import Nest, arrays_of, head, is_array
from ...data.preprocessing.pipeline import Preprocessing
from ...errors import DataError, OptionError
from ...models.recipe import Recipe
from ..epochs import precision as precisions
from ..keras_model.inference import fixed_batch, outputs_of, require_full_batches, require_memory
from ..keras_model.interface import input_names, match_inputs, match_targets, output_names, pack, require_inputs
from ..keras_model.last_activation import Activation, activation_by_values, last_activation
from ..keras_model.token_range import require_known_tokens
from . import compilation, losses
from .options import ResolvedOptions
from .start import fine_tuning
from .start.new_head import replace_head

if TYPE_CHECKING:
    import keras

# Targets that are looked at to choose a loss, where they are read from their files.
_DEFERRED_TARGETS = 65_536
# Samples whose outputs are looked at where a model does not tell its last activation.
_PROBED_SAMPLES = 32
# Raw samples of the test split that are looked at before the training: windows over a series need many each.
_CHECKED_SAMPLES = 4_096


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
        DataError: the data do not go with the model, or it declares no inputs.
        OptionError: another batch size was asked for than the model was built for.
    """
    with precisions.global_policy(precision):
        model = uncompiled_model(options, precision)
        _build_sequential(model, training.x)
        require_inputs(model, options.recipe.name)
        training = match_split(model, training, dataset)
        targets = head(training.y, _DEFERRED_TARGETS) if training.is_deferred else training.y
        require_match(model, training, dataset)
        size = resolve_batch_size(model, options.recipe, options.batch_size)
        require_full_batches(model, len(training), dataset.name)
        require_memory(model, training.is_deferred, dataset.name)
        compiles_itself = model.compiled and not options.start  # a user's own function may well have compiled it
        if compiles_itself:
            _apply_compile_options(model, options)
            losses.require_loss(model, options.recipe.name)
        else:
            compile_model(model, options, targets, training.x)
        for option in options.callback_options.rate_options:
            compilation.require_settable_rate(option, model.optimizer)
        if dataset.series:
            losses.require_forecast(model, targets)
        if compiles_itself or options.loss is not None:
            losses.require_fit(model, targets)
        if has_written_losses(model):
            _track_losses(model, training, size, options.recipe.name)
    if compiles_itself:  # its optimizer is the recipe's only if the user said so
        options = replace(options, optimizer=options.user_optimizer)
    return model, replace(options, batch_size=size)


def _track_losses(model: keras.Model, training: Split, batch_size: int, name: str) -> None:
    """Compute written losses once without values: their names become metrics, and their errors come now."""
    from ..epochs.model_errors import as_model_errors

    samples = training.take(slice(0, batch_size))
    with as_model_errors(name):
        model.track(samples.x, samples.y, samples.weight)


def uncompiled_model(options: ResolvedOptions, precision: str | None) -> keras.Model:
    """Build the model of these options, its initial weights drawn from their seed."""
    keras_internals.set_random_seed(options.seed)
    if options.deterministic:
        runtime.current().make_deterministic()
    owned = portable_initial_weights(options.seed) if options.uses_own_randomness else contextlib.nullcontext()
    with owned:
        start = options.starting_point
        model = start.bundle.build() if start.bundle else options.recipe(**options.options)
        if start.weights:
            start.weights.load_into(model, options.recipe.name, start.layers)
        if options.replace_head is not None:
            model = replace_head(model, options.replace_head)
        fine_tuning.set_trainable(model, options.freeze, options.unfreeze)
        return precisions.apply_policy(model, precision) if start.bundle or start.is_file else model


def compile_model(model: keras.Model, options: ResolvedOptions, targets: Nest, x: Nest) -> None:
    """Compile with the loss and metrics of the options, else with the recipe's, or with defaults for these data.

    Raises:
        OptionError: Keras has no optimizer, loss or metric of this name.
    """
    optimizer = compilation.fresh_optimizer(options.optimizer)
    if options.learning_rate is not None:
        compilation.set_learning_rate(optimizer, options.learning_rate)
    compilation.require_known(options.loss, options.metrics, output_names(model))
    written = has_written_losses(model)
    loss, metrics = (_of_written_losses if written else _loss_and_metrics)(model, options, targets, x)
    compilation.compile_with(model, optimizer=optimizer, loss=loss, metrics=metrics)


def _of_written_losses(model: keras.Model, options: ResolvedOptions, targets: Nest, x: Nest) -> tuple[None, Any]:
    """Return no loss, and the metrics of the options or the recipe, for a model that is trained by written losses.

    Raises:
        OptionError: a loss was asked for.
    """
    if options.loss is not None:
        raise OptionError(f"`loss`: {options.recipe.name} is trained by losses of its own: leave it out")
    metrics = options.recipe.metrics if options.metrics is None else compilation.fresh_metrics(options.metrics)
    return None, list(metrics) or None if isinstance(metrics, tuple) else metrics


def _loss_and_metrics(model: keras.Model, options: ResolvedOptions, targets: Nest, x: Nest) -> tuple[Any, Any]:
    recipe = options.recipe
    if options.loss is not None:
        loss, metrics = options.loss, None
    elif recipe.loss:
        loss, metrics = recipe.loss, list(recipe.metrics)
    else:
        loss, metrics = _choose_losses(model, targets, x)
    if options.metrics is not None:
        metrics = compilation.fresh_metrics(options.metrics)
    return loss, list(metrics) if isinstance(metrics, tuple) else metrics


def _apply_compile_options(model: keras.Model, options: ResolvedOptions) -> None:
    """Give a model that its function compiles what the user asked for; the rest stays as the function compiled it.

    Raises:
        OptionError: Keras has no optimizer, loss or metric of this name.
    """
    compilation.require_known(options.loss, options.metrics, output_names(model))
    arguments: dict[str, Any] = {"loss": options.loss, "metrics": compilation.fresh_metrics(options.metrics)}
    if options.user_optimizer is not None:
        arguments["optimizer"] = compilation.fresh_optimizer(options.user_optimizer)
    elif is_of_other_weights(model):
        arguments["optimizer"] = compilation.fresh_optimizer(model.optimizer)
    changes = {name: value for name, value in arguments.items() if value is not None}
    if changes or options.freeze or options.unfreeze:  # Keras trains the layers that were trainable when it compiled
        compilation.compile_with(model, **{**keras_internals.compile_arguments(model), **changes})
    if options.user_learning_rate is not None:
        compilation.set_learning_rate(model.optimizer, options.user_learning_rate)


def is_of_other_weights(model: keras.Model) -> bool:
    """Return whether the optimizer of a compiled model has a state for other weights than are trained now."""
    optimizer = model.optimizer
    if optimizer is None or not optimizer.built or has_written_losses(model):
        return False
    fresh = compilation.fresh_optimizer(optimizer)
    fresh.build(model.trainable_variables)
    return [tuple(v.shape) for v in fresh.variables] != [tuple(v.shape) for v in optimizer.variables]


def resolve_batch_size(model: keras.Model, recipe: Recipe, batch_size: int) -> int:
    """Return the batch size to train with: the fixed one of the model if it has one, else the given one.

    Raises:
        OptionError: the user gave another batch size than the model was built for.
    """
    size = fixed_batch(model)
    if size is not None and batch_size not in (size, recipe.batch_size):
        raise OptionError(f"{recipe.name} was built for batches of {size}, not of {batch_size}")
    return size or batch_size


def match_split(model: keras.Model, split: Split, dataset: Dataset) -> Split:
    """Return a prepared split with its arrays in the nests of the model's inputs and outputs.

    Raises:
        DataError: an input or output has no array, or an array no input or output.
    """
    try:
        return replace(split, x=match_inputs(model, split.x), y=match_targets(model, split.y))
    except DataError as error:
        raise DataError(f"{dataset.name}: {error}") from error


def require_match(model: keras.Model, split: Split, dataset: Dataset, part: str = "train") -> None:
    """Raise a DataError unless the prepared samples of a part, in the model's nest, fit its inputs."""
    raw = {"train": dataset.train, "val": dataset.validation, "test": dataset.test}[part] or dataset.train
    names = input_names(model)
    if part != "train":
        _require_like_training(model, split, dataset, part)
    for name, tensor, array in zip(names, model.inputs, arrays_of(split.x), strict=True):
        expected, received = tuple(tensor.shape)[1:], array.shape[1:]
        if axes.shape_matches(expected, received):
            continue
        source = f" (x_{part} is {raw.x.shape} of {raw.x.dtype})" if is_array(raw.x) else f" (the input {name})"
        raise DataError(
            f"{dataset.name}: a prepared sample has shape {received} but the model takes {expected}{source}"
            + axes.reshape_advice(received, functools.partial(axes.shape_matches, expected))
        )
    try:
        require_known_tokens(model, split.x, split.is_deferred)
    except DataError as error:
        raise DataError(f"{dataset.name}, in x_{part}: {error}") from error


def require_test_split(model: keras.Model, preprocessing: Preprocessing, dataset: Dataset) -> None:
    """Raise a DataError unless the model can be evaluated on the test split: before the first epoch, not after."""
    if dataset.test is None:
        return
    sample = dataset.test.head(_CHECKED_SAMPLES)
    prepared = Split(*preprocessing.pairs(sample.x, sample.y))
    require_match(model, match_split(model, prepared, dataset), dataset, "test")


def _require_like_training(model: keras.Model, split: Split, dataset: Dataset, part: str) -> None:
    """Raise a DataError unless the prepared targets of a further part have the form that the loss was chosen for."""
    try:
        losses.require_fit(model, head(split.y, _DEFERRED_TARGETS) if split.is_deferred else split.y)
    except DataError as error:
        raise DataError(f"{dataset.name}, in y_{part}: {error}") from error


def _build_sequential(model: keras.Model, x: Nest) -> None:
    """Build a Sequential model that declares no inputs, for samples like these."""
    import keras

    if isinstance(model, keras.Sequential) and not model.built and is_array(x):
        model.build((None, *x.shape[1:]))


def _choose_losses(model: keras.Model, targets: Nest, x: Nest) -> tuple[Any, Any]:
    """Return losses and metrics for a user's model that names none, by its targets and its outputs."""
    each = zip(output_names(model), model.outputs, _last_activations(model, x), arrays_of(targets), strict=True)
    chosen = [losses.choose(name, tuple(output.shape), activation, y) for name, output, activation, y in each]
    if len(chosen) == 1:
        return chosen[0]
    chosen_losses, metrics = zip(*chosen, strict=True)
    return pack(model, "output", chosen_losses), pack(model, "output", [list(names) for names in metrics])


def _last_activations(model: keras.Model, x: Nest) -> list[Activation]:
    """Return the last activation of each output; where the model does not tell, the one that its values look like."""
    activations = [last_activation(output) for output in model.outputs]
    if None not in activations:
        return [activation for activation in activations if activation]
    values = arrays_of(outputs_of(model, head(x, _PROBED_SAMPLES)))
    return [activation or activation_by_values(v) for activation, v in zip(activations, values, strict=True)]
