"""The different words of a column that is read piece by piece; of too many for the memory, only how many they are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import polars

# Words that take more memory than this are counted, by hashes of 8 bytes, and not kept.
_LARGEST = 2**26  # bytes


class DistinctWords:
    """Collects the different words of a column. The words of a single piece, such as a table in memory, are all kept.

    `len` gives their number.
    """

    def __init__(self) -> None:
        self._words: polars.Series | None = None
        self._hashes: list[np.ndarray] = []

    def add(self, cells: polars.Series) -> None:
        """Add further cells of text, without gaps."""
        import polars

        words = cells.unique()
        if self._hashes:
            self._hashes.append(words.hash(seed=0).to_numpy())
        elif self._words is None:
            self._words = words
        else:
            self._words = polars.concat([self._words, words]).unique()
            if self._words.estimated_size() > _LARGEST:
                self._hashes = [self._words.hash(seed=0).to_numpy()]
                self._words = None

    def __len__(self) -> int:
        if self._hashes:
            self._hashes = [np.unique(np.concatenate(self._hashes))]
            return len(self._hashes[0])
        return 0 if self._words is None else len(self._words)

    def in_order(self) -> tuple[str, ...]:
        """Return the words in alphabetical order; none if they are too many."""
        return () if self._words is None else tuple(self._words.sort().to_list())
