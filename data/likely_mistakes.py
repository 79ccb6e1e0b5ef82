"""Probable mistakes in data, one sentence each: `trivium data` and a training tell them.

A part that lacks a class, samples that are in two parts, and samples that are sorted by class where the last of them
are held out, make metrics that say little. Nothing of it is refused, for it may be meant.
"""

from __future__ import annotations

from .class_mistakes import class_mistakes
from .dataset import Dataset
from .division import Division
from .duplicates import duplicate_mistakes
from .nests import arrays_of

# A training looks for duplicates among samples in memory, where it takes less than about 0.1 s.
_MOST_BYTES, _MOST_SAMPLES = 2**27, 200_000


def likely_mistakes(dataset: Dataset, division: Division | None = None) -> list[str]:
    """Return a sentence for each probable mistake in data.

    Args:
        dataset: nothing is looked for in a stream, or in samples that are drawn anew for each batch; for series, see
            `SeriesWindows.warnings`.
        division: which of the training samples are held out; None before a training. With it, duplicates are looked for
            in data alone that are in memory, and small.
    """
    if dataset.series:
        return dataset.series.warnings()
    if dataset.stream or dataset.draw:
        return []
    is_compared = division is None or _is_quick_to_compare(dataset)
    return [*class_mistakes(dataset, division), *(duplicate_mistakes(dataset, division) if is_compared else ())]


def _is_quick_to_compare(dataset: Dataset) -> bool:
    splits = [split for split in (dataset.train, dataset.validation, dataset.test) if split]
    if any(split.is_deferred for split in splits) or sum(map(len, splits)) > _MOST_SAMPLES:
        return False
    nbytes: int = sum(array.nbytes for split in splits for array in arrays_of(split.x))
    return nbytes <= _MOST_BYTES
