"""What the cells of a table are: means, ranges and gaps of its columns of numbers, and the words that occur.

They are taken over blocks of rows, which are the same in memory and in a file: so are the results, to the last bit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from ..deferred_array import DeferredArray, blocks_of


@dataclass(frozen=True)
class CellStatistics:
    """The statistics of the columns of a table.

    Attributes:
        mean, low, high: of each column of numbers, without its gaps; 0 for one that is all gaps.
        has_gap: whether each of them has a gap.
        codes: those that occur in each column of words, in order, without gaps and unknown words.
    """

    mean: np.ndarray
    low: np.ndarray
    high: np.ndarray
    has_gap: np.ndarray
    codes: tuple[np.ndarray, ...]

    @classmethod
    def of(cls, values: np.ndarray | DeferredArray, numbers: Sequence[int], words: Sequence[int]) -> Self:
        """Return the statistics of cells, (rows, columns).

        Args:
            values: numbers, and the codes of words; NaN for a gap.
            numbers, words: the places of the columns of either kind.
        """
        count, total = np.zeros(len(numbers), "int64"), np.zeros(len(numbers))
        low, high = np.full(len(numbers), np.inf), np.full(len(numbers), -np.inf)
        codes = [np.array([], "int64") for _ in words]
        for rows in blocks_of(values):
            cells = rows[:, list(numbers)].astype("float64")
            is_known = ~np.isnan(cells)
            count += is_known.sum(axis=0)
            total += np.where(is_known, cells, 0).sum(axis=0)
            low, high = np.fmin(low, np.fmin.reduce(cells)), np.fmax(high, np.fmax.reduce(cells))
            codes = [np.union1d(known, _codes(rows[:, place])) for known, place in zip(codes, words, strict=True)]
        is_known = count > 0
        return cls(
            total / np.maximum(count, 1),
            np.where(is_known, low, 0),
            np.where(is_known, high, 0),
            count < len(values),
            tuple(codes),
        )


def _codes(cells: np.ndarray) -> np.ndarray:
    """Return the different codes of known words among these."""
    codes = np.unique(cells)
    return codes[codes >= 0].astype("int64")
