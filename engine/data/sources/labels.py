"""Decides which targets are classes and numbers them from 0: a user's may start at 1, have gaps, or be −1 and +1."""

from __future__ import annotations

import numpy as np

from ..dataset import Split

# Integers with more distinct values than this are quantities, not classes.
MAX_CLASSES = 1_000


def number_classes(train: Split, test: Split | None) -> tuple[Split, Split | None, tuple[str, ...]]:
    """Number the classes of both splits from 0; return the splits and the class names, unchanged without classes."""
    splits = [split for split in (train, test) if split]
    y = [_squeeze_targets(split.y) for split in splits]
    if train.x.ndim == 1 or any(part.ndim != 1 or part.dtype.kind not in "biu" for part in y):
        return train, test, ()
    classes = np.unique(np.concatenate([np.unique(part).astype("int64") for part in y]))
    if len(classes) > MAX_CLASSES:
        return train, test, ()
    names = tuple(map(str, classes))
    if all(split.y.ndim == 1 for split in splits) and np.array_equal(classes, np.arange(len(classes))):
        return train, test, names
    numbered = [
        Split(split.x, np.searchsorted(classes, part.astype("int64"))) for split, part in zip(splits, y, strict=True)
    ]
    return numbered[0], numbered[1] if test else None, names


def _squeeze_targets(y: np.ndarray) -> np.ndarray:
    return y[:, 0] if y.ndim == 2 and y.shape[1] == 1 else y


def parse_targets(words: list[str]) -> tuple[np.ndarray, tuple[str, ...]]:
    """Return the targets in a column of text, and the names of the classes if they are classes.

    Words are classes; numbers other than integers are values. A table does not say what its integers mean: they are
    classes when they run from 0 without a gap, or when there are few of them and each occurs twice on average. Numbers
    with a decimal point, such as 20.0, are values unless they run from 0.
    """
    if not all(map(is_number, words)):
        names = sorted(set(words))
        return np.array([names.index(word) for word in words]), tuple(names)
    values = np.array(words, "float64")
    distinct, numbers = np.unique(values, return_inverse=True)
    from_zero = np.array_equal(distinct, np.arange(len(distinct)))
    are_integers = all(word.lstrip("+-").isdecimal() for word in words)
    if from_zero or (are_integers and len(distinct) <= min(MAX_CLASSES, len(values) // 2)):
        return numbers, tuple(f"{value:.0f}" for value in distinct)
    return values, ()


def is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True
