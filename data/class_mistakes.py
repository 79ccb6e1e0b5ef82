"""Probable mistakes in the classes of data: a part that lacks some, and samples in the order of their classes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from ..functions import first_of
from .class_counts import are_one_hot, count_classes
from .dataset import Dataset, labels_of
from .deferred_array import DeferredArray
from .division import TEST, TRAINING, VALIDATION, Division
from .nests import named_arrays

# Fewer samples may be in the order of their classes by chance.
_FEWEST_SAMPLES = 10
_MOST_NAMED = 5
# Before a training, the classes of at most so many samples or positions are counted: about 0.3 s.
_MOST_COUNTED = 20_000_000

_CONSEQUENCES = {
    TRAINING: "they are evaluated on, but not learned",
    VALIDATION: "they are learned, but not validated",
    TEST: "they are learned, but not tested",
}


def class_mistakes(dataset: Dataset, division: Division | None) -> Iterator[str]:
    """Yield a sentence for each part that lacks classes of another, and for training samples sorted by class.

    Args:
        dataset: with a class for each sample, a class for each position, or one-hot rows; other targets are left out.
        division: which of the training samples are held out; None before a training.
    """
    for name, y in named_arrays(dataset.train.y, "y").items():
        if division and y.size > _MOST_COUNTED:
            continue
        labels = _labels(dataset, name)
        classes = _class_numbers(y, labels)
        if classes is not None:
            missing = _missing_classes(_parts(dataset, name, classes, division), labels)
            yield from _sentences(missing, _is_sorted(classes), division, has_validation=dataset.validation is not None)


def _sentences(
    missing: dict[str, list[str]], is_sorted: bool, division: Division | None, *, has_validation: bool
) -> Iterator[str]:
    """Yield the sentences on one target, given the names of the classes that each part lacks."""
    remedy = f"add `validation` {division.remedy}" if division and division.remedy else ""
    if is_sorted and division is None and not has_validation:
        yield (
            "The training samples are sorted by class: where the last of them are held out, as for trivium's own "
            "recipes, add `validation` stratified."
        )
    if is_sorted and division and division.holds_out_last and VALIDATION in missing:
        parts = [part for part in (VALIDATION, TRAINING) if part in missing]
        lacking = ", and ".join(f"the {part} part lacks {first_of(missing.pop(part), _MOST_NAMED)}" for part in parts)
        advice = remedy or "shuffle them"
        yield f"The samples are sorted by class, and the last are held out, so that {lacking}: {advice}."
    for part, names in missing.items():
        advice = f": {remedy}" if remedy and part != TEST else ""
        yield f"The {part} part has no sample of {first_of(names, _MOST_NAMED)}; {_CONSEQUENCES[part]}{advice}."


def _labels(dataset: Dataset, name: str) -> tuple[str, ...]:
    """Return the names of the classes of a target that has this name in `named_arrays`."""
    return dataset.labels if isinstance(dataset.labels, tuple) else labels_of(dataset.labels, name.removeprefix("y/"))


def _parts(dataset: Dataset, name: str, classes: np.ndarray, division: Division | None) -> dict[str, np.ndarray]:
    """Return the class numbers of each part that there is, given those of all training samples."""
    splits = {VALIDATION: dataset.validation, TEST: dataset.test}
    targets = {part: named_arrays(split.y, "y").get(name) for part, split in splits.items() if split}
    if division is None:
        divided = {TRAINING: classes}
    else:
        divided = {TRAINING: classes[division.training], VALIDATION: classes[division.validation]}
    further = {part: _class_numbers(y, _labels(dataset, name)) for part, y in targets.items()}
    return {part: numbers for part, numbers in (divided | further).items() if numbers is not None and numbers.size}


def _missing_classes(parts: Mapping[str, np.ndarray], labels: Sequence[str]) -> dict[str, list[str]]:
    """Return the names of the classes that each part lacks: of the training part those that another has, of another
    part those that are learned."""
    counts = {part: count_classes(numbers, len(labels)) for part, numbers in parts.items()}
    width = max(map(len, counts.values()))
    present = {part: np.pad(count, (0, width - len(count))) > 0 for part, count in counts.items()}
    learned = present[TRAINING]
    lacking = {part: learned & ~has for part, has in present.items()}
    lacking[TRAINING] = np.logical_or.reduce(list(present.values())) & ~learned
    names = [*labels, *map(str, range(len(labels), width))]
    return {part: [names[place] for place in np.flatnonzero(lacks)] for part, lacks in lacking.items() if lacks.any()}


def _class_numbers(y: Any, labels: Sequence[str]) -> np.ndarray | None:
    """Return the class of each sample or position, counted from 0; None for values, and for classes in a file."""
    if y is None or isinstance(y, DeferredArray) or not len(y):
        return None
    if labels:
        return np.asarray(y) if y.dtype.kind in "iu" else np.asarray(y).astype("int64")
    is_one_hot = y.ndim == 2 and y.shape[1] > 1 and are_one_hot(y[:_FEWEST_SAMPLES]) and are_one_hot(y)
    return np.asarray(y.argmax(axis=1)) if is_one_hot else None


def _is_sorted(classes: np.ndarray) -> bool:
    """Return whether all samples of a class stand together, and there are enough to rule out chance."""
    if classes.ndim != 1 or len(classes) < _FEWEST_SAMPLES:
        return False
    changes = np.count_nonzero(classes[1:] != classes[:-1])
    distinct = np.count_nonzero(np.bincount(classes))
    return bool(distinct > 1 and changes == distinct - 1 and len(classes) >= 2 * distinct)
