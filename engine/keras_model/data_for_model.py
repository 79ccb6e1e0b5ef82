"""Data in the form that a model takes, where the data alone leave it open."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ...data.assignment import assign, is_assigned
from ...data.dataset import PICTURES, TABLE, Dataset
from ...data.nests import is_array
from ...data.pictures.channels import is_colour, with_channels
from .interface import input_names, output_names, takes_grey

if TYPE_CHECKING:
    import keras


def is_coloured(dataset: Dataset) -> bool:
    """Return whether a dataset holds pictures in colour, which a model of grey ones takes in grey."""
    return dataset.kind == PICTURES and is_colour(dataset.train.x)


def has_values_for_one_output(dataset: Dataset) -> bool:
    """Return whether a table has several targets, all of them values, which one output can hold as its columns."""
    return dataset.kind == TABLE and not is_array(dataset.train.y) and not dataset.labels


def joined_targets(dataset: Dataset) -> Dataset:
    """Return the dataset with its several targets as the columns of one array, (n, targets)."""
    return dataset.with_targets(lambda y: np.stack([y[target] for target in dataset.targets], axis=1))


def for_model(dataset: Dataset, model: keras.Model) -> Dataset:
    """Return the dataset with named arrays assigned to a model's inputs and outputs, and pictures in its channels.

    Raises:
        DataError: the names do not say which array is which.
    """
    if is_coloured(dataset):
        return with_channels(dataset, colour=not takes_grey(model, dataset.train.x.shape[1:3]))
    if has_values_for_one_output(dataset) and len(model.outputs) == 1:
        return joined_targets(dataset)
    if is_assigned(dataset):
        return dataset
    return assign(dataset, input_names(model), output_names(model))
