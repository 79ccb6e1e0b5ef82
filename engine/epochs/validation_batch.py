"""Choose the batch size of validation: that of training, or a larger one where it saves time and changes no result.

`fit` validates in the batches of training. Validation updates no weights, so larger batches take fewer steps; but they
are another computation if a metric or a loss is no mean over the samples, if a layer sees more than its own sample, or
if a layer changes something while it answers. A recurrent layer with dropout does the last: it draws a mask in
validation too, without using it, so the masks of the next epoch depend on the number of batches.

A compiled loop has nothing to gain from it. Where each step runs in Python, a trial tells.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np

from ...backends import keras_internals, runtime
from ...backends.epochs import Plan
from ...backends.same_run.crossentropy import has_mean_losses
from ...data.dataset import Split
from .batches import steps_per_epoch

_LARGE_BATCH = 256
# Saving fewer steps than these is not worth a trial.
_FEW_STEPS = 50
# The samples of the trial, and the batch size that divides them into two parts of different sizes.
_TRIAL_SAMPLES, _TRIAL_BATCH = 7, 4
# The standard deviation of the noise on the weights of the trial.
_NOISE = 0.05
# The tolerance of the trial: above the rounding of float32, far below the effect of other batches.
_RELATIVE, _ABSOLUTE = 1e-4, 1e-6


def validation_batch_size(model: keras.Model, data: Split, batch_size: int, plan: Plan) -> int:
    """Return the batch size in which a model is validated: that of training, or a larger one with the same results.

    Args:
        model: compiled, with its metrics built; it is unchanged afterwards.
        data: prepared samples to validate on.
        batch_size: of training.
        plan: the plan by which the model is validated.
    """
    large = max(batch_size, _LARGE_BATCH)
    saved_steps = steps_per_epoch(len(data), batch_size) - steps_per_epoch(len(data), large)
    if saved_steps < _FEW_STEPS or not runtime.current().evaluates_eagerly:
        return batch_size
    if not has_mean_losses(model) or _has_mask(model) or not _is_keras_code(model):
        return batch_size
    try:
        return large if _ignores_batches(model, data, plan) else batch_size
    except Exception:  # the framework may refuse a size; that of training raises an error if there is more to it
        return batch_size


def _is_keras_code(model: keras.Model) -> bool:
    """Return whether the model, its layers, losses and metrics are Keras' own.

    A trial of a few samples cannot tell what other code would do with other ones.
    """
    layers = keras_internals.all_layers(model)
    if any(isinstance(layer, keras.layers.Lambda) for layer in layers):
        return False
    return all(map(keras_internals.is_keras_own, [model, *layers, *_losses_of(model), *_metrics_of(model.metrics)]))


def _losses_of(model: keras.Model) -> Iterator[Any]:
    for loss in keras.tree.flatten(model.loss):
        if loss is not None:
            yield _loss_named(loss) if isinstance(loss, str) else loss


def _loss_named(name: str) -> Any:
    try:
        return keras.losses.get(name)
    except ValueError:  # a name that Keras resolves by the shape of the output
        return None


def _metrics_of(metrics: list[Any]) -> Iterator[Any]:
    """Yield metrics at any depth, and the functions that they average."""
    for metric in metrics:
        yield metric
        if function := keras_internals.averaged_function(metric):
            yield function
        yield from _metrics_of(getattr(metric, "metrics", []))


def _has_mask(model: keras.Model) -> bool:
    """Return whether an output is masked: its loss is a mean over what a batch has left."""
    return any(keras_internals.mask_of(output) is not None for output in model.outputs)


def _ignores_batches(model: keras.Model, data: Split, plan: Plan) -> bool:
    """Return whether some samples give the same metrics at once and in two parts, and change nothing but the metrics.

    The weights get some noise for it: a layer of zeros would hide what comes before it.
    """
    samples = data.take(np.linspace(0, len(data) - 1, _TRIAL_SAMPLES).astype(int))
    with _restored(model):
        _add_noise(model.trainable_variables)
        before = _state_of(model)
        at_once = _results(model, samples, _TRIAL_SAMPLES, plan)
        if not all(map(np.array_equal, before, _state_of(model))):
            return False
        in_parts = _results(model, samples, _TRIAL_BATCH, plan)
    return np.allclose(at_once, in_parts, rtol=_RELATIVE, atol=_ABSOLUTE)


@contextlib.contextmanager
def _restored(model: keras.Model) -> Iterator[None]:
    """On leaving this context, restore the model's variables and the framework's own random generators."""
    current = runtime.current()
    generators = current.generator_states()
    try:
        with runtime.unchanged(model):
            yield
    finally:
        current.set_generator_states(generators)


def _state_of(model: keras.Model) -> list[np.ndarray]:
    """Return the values of all that validation could change beside the metrics: variables and random generators."""
    metrics = {id(variable) for variable in model.metrics_variables}
    variables = [variable for variable in runtime.variables_of(model) if id(variable) not in metrics]
    return [np.array(variable.numpy()) for variable in variables] + runtime.current().generator_states()


def _add_noise(variables: list[Any]) -> None:
    noise = np.random.default_rng(0).normal(0, _NOISE, 1009)
    for variable in variables:
        variable.assign(variable + keras.ops.cast(np.resize(noise, variable.shape), variable.dtype))


def _results(model: keras.Model, samples: Split, batch_size: int, plan: Plan) -> list[float]:
    epochs = runtime.current().compile_epochs(model, samples.arrays, batch_size, plan)
    epochs.reset()
    epochs.evaluate()
    return list(epochs.results().values())
