"""The classes of a dataset as the names of a model's outputs."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ...backends.epochs import has_written_losses
from ...data.dataset import Dataset
from .last_activation import last_activation

if TYPE_CHECKING:
    import keras


def named_outputs(model: keras.Model, dataset: Dataset) -> Dataset:
    """Return the dataset with a label for each output of a classifier of one output; without labels if it is none.

    A model with written losses may answer anything, such as a picture or an embedding, whatever the targets are. It
    counts as a classifier if it ends in the probabilities of as many classes.

    Raises:
        DataError: there are more classes than outputs.
    """
    if has_written_losses(model) and not _gives_probabilities(model, dataset):
        return replace(dataset, labels=())
    return dataset.named_for(model.outputs[0].shape[-1]) if len(model.outputs) == 1 else dataset


def _gives_probabilities(model: keras.Model, dataset: Dataset) -> bool:
    import keras

    if len(model.outputs) != 1 or not isinstance(dataset.labels, tuple):
        return False
    output = model.outputs[0]
    activation = keras.activations.sigmoid if output.shape[-1] == 1 else keras.activations.softmax
    return last_activation(output) is activation and len(dataset.labels) <= max(2, output.shape[-1])
