"""Rows that are decoded from files when they are asked for: pictures, or masks, that are larger than memory."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from .threads import in_threads


@dataclass(frozen=True)
class DecodedRows:
    """The rows of an array, each of which is decoded from a file of its own.

    Attributes:
        decode: returns the row of a number, of the shape and dtype of a row; called in several threads.
        shape: (rows, …).
        dtype: of the rows.
    """

    decode: Callable[[int], np.ndarray]
    shape: tuple[int, ...]
    dtype: np.dtype

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: Any) -> np.ndarray:
        """Decode rows: those of a slice, or of an array of row numbers, each of them once.

        Raises:
            PictureError: a file is missing, or cannot be decoded any more.
            DataError: a file holds another picture than when the data were read.
        """
        numbers = np.arange(*rows.indices(len(self))) if isinstance(rows, slice) else rows
        distinct, places = np.unique(numbers, return_inverse=True)
        values = np.empty((len(distinct), *self.shape[1:]), self.dtype)

        def read(place: int) -> None:
            values[place] = self.decode(int(distinct[place]))

        if errors := in_threads(read, len(distinct)):
            raise errors[min(errors)]
        return values if isinstance(rows, slice) else values[places]
