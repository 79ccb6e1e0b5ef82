"""Which targets are classes, and their numbers from 0 on: a user may count from 1, leave gaps, or say −1 and +1."""

from __future__ import annotations

import numpy as np

from ..dataset import Split

# Integers that take more values than this are quantities, not classes.
MOST_CLASSES = 1_000


def number_classes(train: Split, test: Split | None) -> tuple[Split, Split | None, tuple[str, ...]]:
    """The splits with their classes numbered from 0, counted over both, and their names; unchanged without classes."""
    splits = [split for split in (train, test) if split]
    y = [_without_last_axis(split.y) for split in splits]
    if train.x.ndim == 1 or any(part.ndim != 1 or part.dtype.kind not in "biu" for part in y):
        return train, test, ()
    classes = np.unique(np.concatenate([np.unique(part).astype("int64") for part in y]))
    if len(classes) > MOST_CLASSES:
        return train, test, ()
    names = tuple(map(str, classes))
    if all(split.y.ndim == 1 for split in splits) and np.array_equal(classes, np.arange(len(classes))):
        return train, test, names
    numbered = [
        Split(split.x, np.searchsorted(classes, part.astype("int64"))) for split, part in zip(splits, y, strict=True)
    ]
    return numbered[0], numbered[1] if test else None, names


def _without_last_axis(y: np.ndarray) -> np.ndarray:
    return y[:, 0] if y.ndim == 2 and y.shape[1] == 1 else y


def from_words(words: list[str]) -> tuple[np.ndarray, tuple[str, ...]]:
    """Targets and class names: words are classes, other numbers than integers are values.

    Integers are classes when they count from 0 without a gap, or when there are few and each occurs twice on average: a
    table does not say what it means. Written with a decimal point, 20.0, they are values unless they count from 0.
    """
    if not all(map(is_number, words)):
        names = sorted(set(words))
        return np.array([names.index(word) for word in words]), tuple(names)
    values = np.array(words, "float64")
    found, numbers = np.unique(values, return_inverse=True)
    counted = np.array_equal(found, np.arange(len(found)))
    whole = all(word.lstrip("+-").isdecimal() for word in words)
    if counted or (whole and len(found) <= min(MOST_CLASSES, len(values) // 2)):
        return numbers, tuple(f"{value:.0f}" for value in found)
    return values, ()


def is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True
