"""Divide a batch between devices so that the result equals the step of a single device.

Each device runs Keras' own `train_step` on its shard of the rows. Three things are all-reduced: the losses, weighted by
the size of the shard; the gradients; and the statistics of batch normalisation. Each row gets the same dropout mask as
on a single device, because `portable_random.py` reads the current shard. Shards differ by at most one row. If there are
fewer rows than devices, an empty shard computes a padding row that does not count.

Frameworks that shard arrays by themselves, and compute as if the array were whole, need none of this.
"""

from __future__ import annotations

import contextlib
import functools
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from .. import keras_internals
from ..epochs import assign, layers_of
from ..runtime import stateful_layers
from ..same_run.crossentropy import has_mean_losses
from ..shard import Shard, current_shard, on_shard

MOMENTS = keras_internals.BATCH_MOMENTS


def why_indivisible(model: Any) -> str:
    """Return why batches of a compiled model cannot be divided between devices, or an empty string if they can."""
    import keras

    if stateful_layers(model):
        return "its layers remember from one batch to the next, row by row"
    if not has_mean_losses(model):
        return "its loss is no mean over the samples of a batch"
    if any(isinstance(layer, keras.layers.Masking) or getattr(layer, "mask_zero", False) for layer in layers_of(model)):
        return "its loss is a mean over what is not masked, of which shares have more or less"
    return ""


class Collective(ABC):
    """Collective operations. All devices call them at the same time, with arrays of the same shapes."""

    @abstractmethod
    def all_reduce_sum(self, value: Any) -> Any:
        """Return the sum of one array over all devices; it is differentiable."""

    @abstractmethod
    def all_reduce_sums(self, values: Sequence[Any]) -> list[Any]:
        """Return the sum of each array over all devices; it is not differentiable."""

    def loss_factor(self, shard: Shard) -> float:
        """Return the factor for the mean loss of a shard with which the losses of all devices sum to the batch's."""
        return shard.weight


@contextlib.contextmanager
def synchronized(model: Any, collective: Collective) -> Iterator[None]:
    """Within this context, a step of this model inside `on_shard` is one device's part of a common step.

    Methods are replaced on the layer and optimizer objects only; their classes and saved form do not change.
    """
    import keras

    replaced: list[tuple[Any, str]] = []

    def replace(owner: Any, name: str, function: Callable[..., Any]) -> None:
        setattr(owner, name, function)
        replaced.append((owner, name))

    optimizer = model.optimizer
    for layer in layers_of(model):
        if isinstance(layer, keras.layers.BatchNormalization):
            replace(layer, MOMENTS, functools.partial(_moments, layer, collective))
    replace(optimizer, "scale_loss", functools.partial(_scaled, optimizer.scale_loss, collective))
    replace(optimizer, "apply", functools.partial(_apply, optimizer.apply, collective))
    try:
        yield
    finally:
        for owner, name in replaced:
            delattr(owner, name)


def train_on_shard(model: Any, batch: Sequence[Any], shard: Shard) -> None:
    """Train one device's part of a step; a padding row leaves the metrics unchanged."""
    with on_shard(shard):
        saved_metrics = [] if shard.contributes else [variable.value + 0 for variable in model.metrics_variables]
        model.train_step(tuple(batch))
        assign(model.metrics_variables if saved_metrics else [], saved_metrics)


def _scaled(scale: Callable[[Any], Any], collective: Collective, loss: Any) -> Any:
    shard = current_shard()
    return scale(loss if shard is None else loss * collective.loss_factor(shard))


def _apply(apply: Callable[..., Any], collective: Collective, gradients: Sequence[Any], *variables: Any) -> Any:
    """Apply the gradients summed over the devices; clipping comes after the sum."""
    if current_shard() is None:
        return apply(gradients, *variables)
    sums = iter(collective.all_reduce_sums([gradient for gradient in gradients if gradient is not None]))
    return apply([None if gradient is None else next(sums) for gradient in gradients], *variables)


def _moments(layer: Any, collective: Collective, inputs: Any, mask: Any) -> tuple[Any, Any]:
    """Return the mean and the variance over the rows of all devices, (channels,) each."""
    from keras import config, ops

    shard = current_shard()
    if shard is None:
        return getattr(type(layer), MOMENTS)(layer, inputs, mask)  # type: ignore[no-any-return]
    axes, row_weight = keras_internals.reduction_axes(layer), float(shard.contributes)
    if mask is None:
        weights = row_weight
        values_per_row = ops.size(inputs) // inputs.shape[layer.axis] // shard.size
        count = ops.cast(values_per_row * shard.batch_size, inputs.dtype)
    else:
        weights = ops.expand_dims(ops.cast(mask, inputs.dtype), layer.axis) * row_weight
        count = collective.all_reduce_sum(ops.sum(weights)) + config.epsilon()
    mean = collective.all_reduce_sum(ops.sum(inputs * weights, axes)) / count
    shape = [1] * len(inputs.shape)
    shape[layer.axis] = -1
    squares = ops.square(inputs - ops.reshape(mean, shape)) * weights
    return mean, collective.all_reduce_sum(ops.sum(squares, axes)) / count
