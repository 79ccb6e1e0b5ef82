"""Decides which targets are classes and numbers them from 0: a user's may start at 1, have gaps, or be −1 and +1."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ..dataset import Split
from ..nests import is_array

# Integers with more distinct values than this are quantities, not classes.
MAX_CLASSES = 1_000
# So few integers are classes if each occurs twice on average; more are, if each occurs this often.
_FEW_CLASSES = 20
_OFTEN = 10


def number_classes(*splits: Split | None) -> tuple[list[Split | None], tuple[str, ...]]:
    """Number the classes of the splits from 0, the same in all of them.

    Returns:
        The splits, and the names of the classes: the original numbers. Without classes the splits are unchanged, and
        there are no names.
    """
    present = [split for split in splits if split]
    y = [_squeeze_targets(split.y) for split in present]
    first = present[0].x
    is_series = is_array(first) and first.ndim == 1
    if is_series or any(part.ndim != 1 or part.dtype.kind not in "biu" for part in y):
        return list(splits), ()
    # NumPy has no dtype for all integers of 64 bits, with and without a sign.
    is_wide = any(part.dtype.kind == "u" and part.max(initial=0) > np.iinfo("int64").max for part in y)
    dtype = "object" if is_wide else "int64"
    classes = np.unique(np.concatenate([np.unique(part).astype(dtype) for part in y]))
    if len(classes) > MAX_CLASSES:
        return list(splits), ()
    names = tuple(map(str, classes))
    if all(split.y.ndim == 1 for split in present) and np.array_equal(classes, np.arange(len(classes))):
        return list(splits), names
    numbered = iter(np.searchsorted(classes, part.astype(dtype)) for part in y)
    return [split and replace(split, y=next(numbered)) for split in splits], names


def _squeeze_targets(y: np.ndarray) -> np.ndarray:
    return y[:, 0] if y.ndim == 2 and y.shape[1] == 1 else y


def parse_targets(words: Sequence[str], count: int) -> tuple[np.ndarray, tuple[str, ...]]:
    """Return the target that each word in a column stands for, and the names of the classes if they are classes.

    Words are classes; numbers are classes or values as in `parse_numbers`.

    Args:
        words: the different ones.
        count: the number of the rows.

    Returns:
        (words,): class numbers or values; and the names.
    """
    if not all(map(is_number, words)):
        return parse_classes(words)
    if _exceed_floats(words):
        return parse_classes(words)
    are_integers = all(word.lstrip("+-").isdecimal() for word in words)
    return parse_numbers(np.array(words, "float64"), count, are_integers=are_integers)


def parse_numbers(values: np.ndarray, count: int, *, are_integers: bool) -> tuple[np.ndarray, tuple[str, ...]]:
    """Return the targets that numbers stand for, and the names of the classes if they are classes.

    A table does not say what its integers mean: they are classes when they run from 0 without a gap, when there are at
    most 20 and each occurs twice on average, or when each occurs ten times. Numbers with a decimal point, such as 20.0,
    are values unless they run from 0.

    Args:
        values: (n,) float64, each number once or more.
        count: the number of the rows.
        are_integers: whether they are written without a decimal point.
    """
    distinct = np.unique(values)
    from_zero = np.array_equal(distinct, np.arange(len(distinct)))
    few = max(min(_FEW_CLASSES, count // 2), min(MAX_CLASSES, count // _OFTEN))
    if from_zero or (are_integers and len(distinct) <= few):
        return np.searchsorted(distinct, values), tuple(f"{value:.0f}" for value in distinct)
    return values, ()


def parse_classes(words: Sequence[str] | np.ndarray) -> tuple[np.ndarray, tuple[str, ...]]:
    """Return the class of each word or number, (n,), and the names: in numerical, else in alphabetical order."""
    are_numbers = isinstance(words, np.ndarray) or (all(map(is_number, words)) and not _exceed_floats(words))
    names, numbers = np.unique(np.array(words, "float64" if are_numbers else None), return_inverse=True)
    return numbers, tuple(f"{name:g}" if are_numbers else str(name) for name in names)


def _exceed_floats(words: Sequence[str]) -> bool:
    """Return whether whole numbers have more digits than a float holds, as those of a key or a barcode may."""
    digits = [word.lstrip("+-0") for word in words if word.lstrip("+-").isdecimal()]
    return any(len(word) > np.finfo("float64").precision for word in digits)


def is_number(cell: str) -> bool:
    if "_" in cell:  # Python's own notation; in a table 1_2 is a name
        return False
    try:
        float(cell)
    except ValueError:
        return False
    return True
