"""A dataset from a user's arrays in memory."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..errors import DataError
from .dataset import Dataset, Labels, Split
from .nests import arrays_of, from_user, is_array, named_arrays, sample_count
from .sources.files import require_numbers
from .sources.labels import number_classes

NAME = "the arrays"


def dataset_from_arrays(train: Any, validation: Any = None, test: Any = None) -> Dataset:
    """Return the dataset of arrays in memory.

    Words are classes, in alphabetical order. Integers in a single target, (n,) or (n, 1), are classes too, as in
    `number_classes`.

    Args:
        train: `(x, y)`, `(x, y, weight)`, or a dictionary of arrays that are named as a model's inputs and outputs; x
            and y are an array each, or a nest of arrays.
        validation, test: the same, or None.

    Raises:
        DataError: the arrays are not numeric, not finite, or of different lengths.
    """
    parts = {"train": train, "validation": validation, "test": test}
    splits = {name: _split(part, name) for name, part in parts.items() if part is not None}
    for name, split in splits.items():
        _require_rows(split, name)
    labels: Labels = ()
    has_words = is_array(splits["train"].y) and any(split.y.dtype.kind in "OUS" for split in splits.values())
    if is_array(splits["train"].y):
        splits, labels = _with_classes(splits, has_words)
    for name, split in splits.items():
        _require_samples(split, name)
    guesses = bool(labels) and not has_words
    validation_split, test_split = splits.get("validation"), splits.get("test")
    return Dataset(
        NAME, splits["train"], test_split, labels, "in memory", validation=validation_split, guesses_classes=guesses
    )


def _split(part: Any, name: str) -> Split:
    if isinstance(part, Mapping):
        return Split(from_user(part), {})
    if not isinstance(part, (tuple, list)) or len(part) not in (2, 3):
        raise DataError(f"{name}: expected (x, y), or a dictionary of named arrays, received {type(part).__name__}")
    return split_from_user(*part)


def split_from_user(x: Any, y: Any, weight: Any = None) -> Split:
    """Return a user's samples, targets and, where there are any, sample weights as a split of NumPy arrays."""
    return Split(from_user(x), from_user(y), None if weight is None else np.asarray(weight, "float32"))


def _with_classes(splits: Mapping[str, Split], has_words: bool) -> tuple[dict[str, Split], tuple[str, ...]]:
    """Return the splits with their classes numbered from 0, and the names of the classes."""
    if has_words:
        words = [split.y.astype(str) for split in splits.values()]
        classes = np.unique(np.concatenate(words))
        return _with_targets(splits, [np.searchsorted(classes, part) for part in words]), tuple(map(str, classes))
    numbered, names = number_classes(*splits.values())
    return _with_targets(splits, [split.y for split in numbered if split]), names


def _with_targets(splits: Mapping[str, Split], targets: list[np.ndarray]) -> dict[str, Split]:
    pairs = zip(splits.items(), targets, strict=True)
    return {name: Split(split.x, y, split.weight) for (name, split), y in pairs}


def _require_rows(split: Split, name: str) -> None:
    """Raise a DataError unless there are samples, with a target and, where there are weights, a weight each."""
    arrays = named_arrays(split.x, f"x of {name}") | named_arrays(split.y, f"y of {name}")
    for path, array in arrays.items():
        if array.ndim == 0 or len(array) == 0:
            raise DataError(f"{path}: there is no sample in it (shape {array.shape})")
    samples, targets = sample_count(split.x), sample_count(split.y)
    if arrays_of(split.y) and samples != targets:
        raise DataError(f"{name}: x has {samples} samples but y has {targets}")
    for path, weight in named_arrays(split.weight, f"weight of {name}").items() if split.weight is not None else ():
        if weight.shape[:1] != (samples,):
            raise DataError(f"{path}: expected a weight for each of {samples} samples, received shape {weight.shape}")
        if not np.isfinite(weight).all() or (weight < 0).any():
            raise DataError(f"{path}: a weight is negative, infinite or NaN")


def _require_samples(split: Split, name: str) -> None:
    for path, array in (named_arrays(split.x, f"x of {name}") | named_arrays(split.y, f"y of {name}")).items():
        require_numbers(array, path)
