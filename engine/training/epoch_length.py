"""Epochs of so many batches of arrays, however many samples there are: `steps_per_epoch`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...backends import runtime
from ...data.dataset import Split
from ...errors import OptionError
from .options import ResolvedOptions

if TYPE_CHECKING:
    import keras

    from ..epochs.batches import TrainingBatches


def in_epochs_of_steps(model: keras.Model, training: Split, options: ResolvedOptions) -> Split | TrainingBatches:
    """Return the prepared training part in epochs of as many batches as the options say, or as it is.

    Raises:
        OptionError: the model keeps states from batch to batch, which begin anew with each epoch.
    """
    from ..epochs import batches

    steps, size = options.steps_per_epoch, options.batch_size
    if steps is None:
        return training
    if runtime.stateful_layers(model):
        raise OptionError(
            "`steps_per_epoch`: the model keeps states from batch to batch through all of the data: leave it out"
        )
    fetch = batches.from_memory(training, size, options.seed, options.recipe.shuffle, steps)
    why = "an epoch has so many batches, and not each sample once"
    return batches.TrainingBatches(fetch, steps, why, ahead=training.is_deferred, samples=steps * size)
