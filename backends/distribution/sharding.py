"""A batch divided between devices so that the step is the one that a single device would make.

Each device trains Keras' own `train_step` on its share of the rows. What a batch has in common is put together: the
losses (each share counts by its size), the gradients, and the statistics of batch normalisation; and each row gets the
dropout mask that it would have had (`portable_random.py` asks for the share). Shares differ by one row at most. Where
there are fewer rows than devices, a share is filled with a row that counts for nothing.

Not for frameworks that divide an array by themselves and compute as if it were whole: they need none of this.
"""

from __future__ import annotations

import contextlib
import functools
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from ..epochs import assign, layers_of
from ..runtime import stateful_layers
from ..same_run.crossentropy import are_means
from ..shard import Share, taken, taking

# Of Keras' BatchNormalization, private; tests/backends/distribution/test_sharding.py notices when it moves.
MOMENTS = "_moments"


def indivisible(model: Any) -> str:
    """Why the rows of a compiled model's batches cannot be divided between devices, or nothing."""
    import keras

    if stateful_layers(model):
        return "its layers remember from one batch to the next, row by row"
    if not are_means(model):
        return "its loss is no mean over the samples of a batch"
    if any(isinstance(layer, keras.layers.Masking) or getattr(layer, "mask_zero", False) for layer in layers_of(model)):
        return "its loss is a mean over what is not masked, of which shares have more or less"
    return ""


class Collective(ABC):
    """How devices put together what each has; all of them ask at the same moment, with arrays of the same shapes."""

    @abstractmethod
    def total(self, value: Any) -> Any:
        """The sum of one array over all devices; gradients flow back through it to each."""

    @abstractmethod
    def totals(self, values: Sequence[Any]) -> list[Any]:
        """The sums of several arrays, without gradients."""

    def factor(self, share: Share) -> float:
        """What the mean loss of a share is multiplied by, so that the sum over the devices is the batch's."""
        return share.weight


@contextlib.contextmanager
def joined(model: Any, collective: Collective) -> Iterator[None]:
    """While it lasts, steps of this model within `taking` are parts of one step of all devices.

    On the layers and the optimizer themselves: their classes and what is saved of them stay as they are.
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


def train_share(model: Any, batch: Sequence[Any], share: Share) -> None:
    """One device's part of a step; a share that does not count leaves no trace in the metrics."""
    with taking(share):
        held = [] if share.counts else [variable.value + 0 for variable in model.metrics_variables]
        model.train_step(tuple(batch))
        assign(model.metrics_variables if held else [], held)


def _scaled(scale: Callable[[Any], Any], collective: Collective, loss: Any) -> Any:
    share = taken()
    return scale(loss if share is None else loss * collective.factor(share))


def _apply(apply: Callable[..., Any], collective: Collective, gradients: Sequence[Any], *variables: Any) -> Any:
    """Update by the sum of the devices' gradients; clipping and the like come after it."""
    if taken() is None:
        return apply(gradients, *variables)
    totals = iter(collective.totals([gradient for gradient in gradients if gradient is not None]))
    return apply([None if gradient is None else next(totals) for gradient in gradients], *variables)


def _moments(layer: Any, collective: Collective, inputs: Any, mask: Any) -> tuple[Any, Any]:
    """Mean and variance, each (channels,), over the rows of all devices."""
    from keras import config, ops

    share = taken()
    if share is None:
        return getattr(type(layer), MOMENTS)(layer, inputs, mask)  # type: ignore[no-any-return]
    axes, counted = layer._reduction_axes, float(share.counts)
    if mask is None:
        weights = counted
        each = ops.size(inputs) // inputs.shape[layer.axis] // share.size
        count = ops.cast(each * share.whole, inputs.dtype)
    else:
        weights = ops.expand_dims(ops.cast(mask, inputs.dtype), layer.axis) * counted
        count = collective.total(ops.sum(weights)) + config.epsilon()
    mean = collective.total(ops.sum(inputs * weights, axes)) / count
    shape = [1] * len(inputs.shape)
    shape[layer.axis] = -1
    squares = ops.square(inputs - ops.reshape(mean, shape)) * weights
    return mean, collective.total(ops.sum(squares, axes)) / count
