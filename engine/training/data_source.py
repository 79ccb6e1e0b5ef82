"""What a user may give as data: a dataset, its name, a file or folder, or arrays."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ...errors import DataError
from ...models.recipe import Recipe, find
from ..data import datasets
from ..data.dataset import Dataset
from ..data.from_arrays import dataset_from_arrays

# Arrays are `(x, y)`, `(x, y, weight)`, or a dictionary by name.
DataSource = Dataset | str | Path | tuple[Any, ...] | Mapping[str, Any] | None


def dataset_for(recipe: Recipe | str, data: DataSource) -> Dataset:
    """Return the given data as a dataset, or else the recipe's own.

    Raises:
        DataError: the recipe has no data of its own, or the data cannot be read.
    """
    if isinstance(data, Dataset):
        return data
    if isinstance(data, (tuple, Mapping)):
        return dataset_from_arrays(data)
    recipe = find(recipe) if isinstance(recipe, str) else recipe
    name = data or recipe.dataset
    if name is None:
        raise DataError(
            f"{recipe.name} brings no data of its own: add `data` FILE.npz (x_train, y_train) or `data` mnist"
        )
    return datasets.load(name)
