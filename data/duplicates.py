"""Samples that are in two parts of the data.

Samples are compared by a digest of 64 bits each, some MB at a time: the memory that is needed does not depend on the
size of a sample, and data may stay in their files. Two different samples have one digest about once in 1e19 pairs.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from .dataset import Dataset
from .division import TEST, TRAINING, VALIDATION, Division
from .nests import Nest, arrays_of, is_array

_CHUNK_SIZE = 2**24  # bytes
_MULTIPLIER = np.uint64(1_000_003)
# Fewer duplicates than two, and than this share of a part, are chance.
_SMALLEST_SHARE = 0.01


def duplicate_mistakes(dataset: Dataset, division: Division | None) -> Iterator[str]:
    """Yield a sentence for each part of which two samples, and a hundredth, are in the training part too.

    Args:
        division: which of the training samples are held out; None before a training.
    """
    for part, is_duplicate in _duplicates(dataset, division).items():
        count, size = int(is_duplicate.sum()), len(is_duplicate)
        if count > 1 and count >= _SMALLEST_SHARE * size:
            yield (
                f"{count:,} of the {size:,} {part} samples are in the training part too, so that the {part} metrics "
                "are too good: leave them out of one part."
            )


def count_duplicates(dataset: Dataset) -> int:
    """Return the number of test samples that are in the training split too; 0 for a series of single values."""
    is_duplicate = _duplicates(dataset, None).get(TEST)
    return 0 if is_duplicate is None else int(is_duplicate.sum())


def sample_digests(parts: Sequence[Nest]) -> list[np.ndarray]:
    """Return a digest of each sample of each part, (samples,) uint64; equal samples have equal digests.

    Python seeds its hash anew in each process, and the values are compared in a dtype that holds those of all parts:
    only digests of one call are comparable.

    Args:
        parts: nests of the same arrays, of samples of the same shapes; they may lie in files.
    """
    arrays: list[list[Any]] = [arrays_of(part) for part in parts]
    dtypes = [np.result_type(*(array.dtype for array in alike)) for alike in zip(*arrays, strict=True)]
    return [_digests(each, dtypes) for each in arrays]


def _duplicates(dataset: Dataset, division: Division | None) -> dict[str, np.ndarray]:
    """Return for each part which of its samples are in the training part too, (samples,) bool.

    A part with samples of another shape than the training samples is left out.
    """
    splits = {VALIDATION: dataset.validation, TEST: dataset.test}
    x = {TRAINING: dataset.train.x, **{part: split.x for part, split in splits.items() if split}}
    shapes = {part: [array.shape[1:] for array in arrays_of(nest)] for part, nest in x.items()}
    x = {part: nest for part, nest in x.items() if shapes[part] == shapes[TRAINING]}
    is_series = is_array(dataset.train.x) and dataset.train.x.ndim == 1
    if is_series or (division is None and len(x) == 1):
        return {}
    digests = dict(zip(x, sample_digests(list(x.values())), strict=True))
    learned = digests.pop(TRAINING)
    if division:
        held_out = learned[division.validation]
        digests |= {VALIDATION: held_out} if len(held_out) else {}
        learned = learned[division.training]
    return {part: np.isin(each, learned) for part, each in digests.items()}


def _digests(arrays: Sequence[Any], dtypes: Sequence[np.dtype]) -> np.ndarray:
    """Return a digest of each sample of several arrays of one length."""
    digests = np.zeros(len(arrays[0]) if arrays else 0, "uint64")
    for array, dtype in zip(arrays, dtypes, strict=True):
        hashes = np.fromiter(_row_hashes(array, dtype), "int64", len(array))
        digests = digests * _MULTIPLIER ^ hashes.view("uint64")
    return digests


def _row_hashes(array: Any, dtype: np.dtype) -> Iterator[int]:
    """Yield the hash of the bytes of each row."""
    size = math.prod(array.shape[1:]) * dtype.itemsize
    step = max(1, _CHUNK_SIZE // max(1, size))
    for start in range(0, len(array), step):
        rows = array[start : start + step].astype(dtype, copy=False)
        content = rows.tobytes()
        yield from (hash(content[place * size : (place + 1) * size]) for place in range(len(rows)))
