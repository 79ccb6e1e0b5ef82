"""What a user may give as data: a dataset, its name, a file or folder, arrays, or a function that returns these."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..errors import DataError, first_line
from ..functions import is_file_function, load_function
from . import datasets
from .dataset import Dataset
from .from_arrays import dataset_from_arrays

# Arrays are `(x, y)`, `(x, y, weight)`, or a dictionary by name.
DataSource = Dataset | str | Path | tuple[Any, ...] | Mapping[str, Any]


def dataset_of(data: DataSource) -> Dataset:
    """Return data that the user gave as a dataset.

    A name `path/to/file.py:function` is a function without arguments, which is run. So the name must come from the
    user, never from a file.

    Raises:
        DataError: the data cannot be read, or the function fails or returns something else.
        RecipeError: the file has no such function.
    """
    if isinstance(data, Dataset):
        return data
    if isinstance(data, (tuple, Mapping)):
        return dataset_from_arrays(data)
    if is_file_function(str(data)):
        return replace(dataset_of(_call(str(data))), name=str(data))
    return datasets.load(data)


def _call(name: str) -> DataSource:
    function = load_function(name)
    try:
        data: DataSource = function()
    except (Exception, SystemExit) as error:  # a user's function may raise anything
        raise DataError(f"{name} failed: {type(error).__name__}: {first_line(error)}") from error
    if not isinstance(data, (Dataset, str, Path, tuple, Mapping)):
        raise DataError(
            f"{name} returned {type(data).__name__}, expected (x, y), a dictionary of arrays by name, a Dataset, or "
            "the name of a file"
        )
    return data
