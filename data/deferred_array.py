"""An array whose rows are read and prepared only when they are asked for: data larger than memory.

It has the shape, the dtype and the length of an array, and gives rows as arrays of NumPy. It refuses to become an array
as a whole: what needs all values at once is refused in one line instead of filling the memory.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import cached_property
from typing import Any, NoReturn, Protocol

import numpy as np

from ..errors import DataError

# Prepares rows; the result has as many.
RowFunction = Callable[[np.ndarray], np.ndarray]

_CHUNK_SIZE = 2**25  # bytes


class Rows(Protocol):
    """What rows are read from by their numbers: an array in memory, an array in a file, or files with a row in each."""

    def __len__(self) -> int: ...

    def __getitem__(self, rows: Any, /) -> np.ndarray:
        """Return the rows of a slice of step 1, or of an array of row numbers, 0 ≤ number < rows."""


class DeferredArray:
    """Rows of files or of an array, prepared by functions.

    Args:
        source: what the rows are read from.
        rows: which of them, as a slice of step 1 or as row numbers; None for all.
        functions: applied to the rows in this order.

    Attributes:
        shape: (rows, …), as prepared.
        dtype: as prepared.
    """

    def __init__(
        self,
        source: Rows,
        rows: slice | np.ndarray | None = None,
        functions: tuple[RowFunction, ...] = (),
    ):
        self._source, self._functions = source, functions
        self._rows = slice(0, len(source)) if rows is None else rows
        self._count = self._rows.stop - self._rows.start if isinstance(self._rows, slice) else len(self._rows)

    def __len__(self) -> int:
        return self._count

    @property
    def shape(self) -> tuple[int, ...]:
        return (self._count, *self._sample.shape[1:])

    @property
    def dtype(self) -> np.dtype:
        return self._sample.dtype

    @property
    def ndim(self) -> int:
        return self._sample.ndim

    @property
    def size(self) -> int:
        return math.prod(self.shape)

    @property
    def nbytes(self) -> int:
        return self.size * self.dtype.itemsize

    def __getitem__(self, samples: Any) -> np.ndarray:
        """Read and prepare rows: those of a slice, of an array of row numbers, or of an array of booleans.

        Raises:
            FileError: the file cannot be read, or was truncated.
            DataError: the rows cannot be decoded or prepared.
        """
        values = self._source[self._numbers(samples)]
        for function in self._functions:
            values = function(values)
        return values

    def select(self, samples: slice | np.ndarray) -> DeferredArray:
        """Return the array of these rows; none of them is read."""
        return DeferredArray(self._source, self._numbers(samples), self._functions)

    def mapped(self, function: RowFunction) -> DeferredArray:
        """Return the array whose rows are prepared by a further function; none of them is read."""
        return DeferredArray(self._source, self._rows, (*self._functions, function))

    def chunks(self) -> Iterator[np.ndarray]:
        """Yield all rows in order, some MB at a time."""
        step = _chunk_rows(self._sample.nbytes, self._source[slice(0, 1)].nbytes)
        for start in range(0, len(self), step):
            yield self[start : start + step]

    def __array__(self, *arguments: Any, **keywords: Any) -> NoReturn:
        raise DataError(
            f"an array of shape {self.shape} is read from its file row by row, and what was asked for needs all of it "
            "in memory: take fewer samples, or `stored=no` to load it"
        )

    def __iter__(self) -> NoReturn:
        self.__array__()

    @cached_property
    def _sample(self) -> np.ndarray:
        """The first row, prepared, (1, …): shape and dtype are those of its result."""
        return self[:1]

    def _numbers(self, samples: Any) -> slice | np.ndarray:
        """Return which rows of the source these rows are."""
        if isinstance(samples, slice):
            start, stop, step = samples.indices(len(self))
            if step == 1 and isinstance(self._rows, slice):
                return slice(self._rows.start + start, self._rows.start + max(start, stop))
            samples = np.arange(start, stop, step)
        numbers = np.asarray(samples)
        if numbers.dtype == bool:
            numbers = np.flatnonzero(numbers)
        if numbers.ndim != 1 or numbers.dtype.kind not in "iu":
            raise TypeError(f"expected a slice or row numbers (n,), received {samples!r}")
        if len(numbers) and not (-len(self) <= numbers.min() and numbers.max() < len(self)):
            raise IndexError(f"row {numbers.max()} of {len(self)}")
        numbers = np.where(numbers < 0, numbers + len(self), numbers)
        return np.asarray(numbers + self._rows.start if isinstance(self._rows, slice) else self._rows[numbers])


def blocks_of(array: np.ndarray | DeferredArray) -> Iterator[np.ndarray]:
    """Yield the rows of an array in order, some MB at a time: of equal arrays the same blocks, in memory or not.

    So what is added up over blocks is the same to the last bit.
    """
    if isinstance(array, DeferredArray):
        yield from array.chunks()
        return
    step = _chunk_rows(array[:1].nbytes)
    for start in range(0, len(array), step):
        yield array[start : start + step]


def chunks_of(array: np.ndarray | DeferredArray) -> Iterator[np.ndarray]:
    """Yield the rows of an array in order: all at once of an array in memory, else some MB at a time."""
    if isinstance(array, DeferredArray):
        yield from array.chunks()
    else:
        yield array


def _chunk_rows(*sizes: int) -> int:
    """Return the rows of a chunk, given the bytes of a row: as it is, and as it is stored."""
    return max(1, _CHUNK_SIZE // max(1, *sizes))
