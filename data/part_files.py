"""Parts of data that lie in files of their own: `houses.csv:validation=later.csv`, or `:test=later.csv`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from ..errors import DataError
from . import data_name
from .dataset import Dataset, Split
from .tables.recoding import with_columns

# The settings that name the file of a part.
PARTS = ("validation", "test")

Loader = Callable[[str], Dataset]


def with_parts(
    name: str, files: Mapping[str, str], settings: Mapping[str, str], load: Loader, *, has_share: bool
) -> Dataset:
    """Return the data of that name with the parts that lie in files of their own.

    A file is read as the data are, and all of it is the part. Its classes and words have the numbers of the data.

    Args:
        name: of the data, without settings.
        files: the file of each part.
        settings: how the data are read.
        load: reads data by a name with settings.
        has_share: whether a share of the samples is tested on unless `test_share` is 0.

    Raises:
        DataError: a file cannot be read, has other columns, samples of another shape, or a class that the data lack.
    """
    whole = {**settings, "test_share": "0"} if has_share else settings
    own = whole if "test" in files else settings
    dataset = load(data_name.compose(name, own))
    parts = {part: _part_of(dataset, load(data_name.compose(file, whole))) for part, file in files.items()}
    return replace(dataset, **parts)  # type: ignore[arg-type]


def _part_of(dataset: Dataset, other: Dataset) -> Split:
    """Return all samples of another dataset, in the terms of the first."""
    if dataset.columns:
        other = with_columns(other, dataset.columns)
    if other.labels != dataset.labels:
        other = other.relabelled(dataset.labels)
    shapes = [getattr(part.train.x, "shape", (None,))[1:] for part in (dataset, other)]
    if shapes[0] != shapes[1]:
        raise DataError(f"{other.name} has samples of shape {shapes[1]}, {dataset.name} of {shapes[0]}")
    return other.train
