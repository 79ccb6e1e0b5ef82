"""Sources of batches: what can be read again, from where, and how many batches there are in one pass."""

from __future__ import annotations

import itertools
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from ...errors import DataError, TriviumError, first_line
from ..split import Split
from .conversion import split_of, stacked

# The sample order of a pass: (pass, samples) → (samples,) integers.
SampleOrder = Callable[[int, int], np.ndarray]


class BatchStream(ABC):
    """Batches that come one after the other.

    Attributes:
        kind: what the source is, as text.
        can_repeat: whether a further pass gives batches again.
    """

    kind: str
    can_repeat = True

    @abstractmethod
    def steps(self, batch_size: int) -> int | None:
        """Return the number of batches of a pass, or None if it is not known.

        Args:
            batch_size: of a source of single samples; other sources decide it themselves.
        """

    @abstractmethod
    def sample(self, batch_size: int) -> Split:
        """Return a first batch; it is in the next pass again.

        Raises:
            DataError: there is none, or it is no batch.
        """

    @abstractmethod
    def batches(self, number: int, batch_size: int, order: SampleOrder) -> Iterator[Split]:
        """Yield the batches of a pass.

        Args:
            number: of the pass, counted from 0.
            batch_size, order: of a source of single samples.

        Raises:
            DataError: the source fails, or gives something else than batches.
        """


class IteratedStream(BatchStream):
    """Batches of an iterator, or of what gives a fresh one for each pass.

    Args:
        open_iterator: returns the iterator of a pass, given the batch size of a source of single samples.
        length: the batches of a pass, or None.
        can_repeat: whether it returns a fresh iterator each time.
    """

    def __init__(self, kind: str, open_iterator: Callable[[int], Any], length: int | None, can_repeat: bool = True):
        self.kind, self.can_repeat = kind, can_repeat
        self._open, self._length = open_iterator, length
        self._rest: Iterator[Any] | None = None  # of an iterator that can be read once

    def steps(self, batch_size: int) -> int | None:
        return self._length

    def sample(self, batch_size: int) -> Split:
        batches = self._iterator(batch_size)
        first = next(_guarded(batches, self.kind), None)
        if first is None:
            raise DataError(f"{self.kind} has no batches")
        if not self.can_repeat:
            self._rest = itertools.chain([first], batches)
        return split_of(first, f"batch 1 of {self.kind}")

    def batches(self, number: int, batch_size: int, order: SampleOrder) -> Iterator[Split]:
        for place, batch in enumerate(_guarded(self._iterator(batch_size), self.kind)):
            yield split_of(batch, f"batch {place + 1} of {self.kind}")

    def _iterator(self, batch_size: int) -> Iterator[Any]:
        if self._rest is not None:
            return self._rest
        try:
            iterator: Iterator[Any] = iter(self._open(batch_size))
        except Exception as error:  # a user's function may raise anything
            raise _failure(self.kind, error) from error
        if not self.can_repeat:
            self._rest = iterator
        return iterator


class MappedStream(BatchStream):
    """A stream whose batches are changed by a function, each by itself."""

    def __init__(self, stream: BatchStream, function: Callable[[Split], Split]):
        self.kind, self.can_repeat = stream.kind, stream.can_repeat
        self._stream, self._function = stream, function

    def steps(self, batch_size: int) -> int | None:
        return self._stream.steps(batch_size)

    def sample(self, batch_size: int) -> Split:
        return self._function(self._stream.sample(batch_size))

    def batches(self, number: int, batch_size: int, order: SampleOrder) -> Iterator[Split]:
        yield from map(self._function, self._stream.batches(number, batch_size, order))


class IndexedStream(BatchStream):
    """Batches by their place: a `keras.utils.PyDataset`, whose hooks are called before and after each pass."""

    kind = "a PyDataset"

    def __init__(self, source: Any):
        self._source = source
        self._passes = 0

    def steps(self, batch_size: int) -> int | None:
        try:
            length: int | None = self._source.num_batches
        except Exception as error:  # a user's class may raise anything
            raise _failure(f"the length of {self.kind}", error) from error
        return length

    def sample(self, batch_size: int) -> Split:
        return self._at(0)

    def batches(self, number: int, batch_size: int, order: SampleOrder) -> Iterator[Split]:
        for _ in range(self._passes, number):  # of an earlier session: its hooks may shuffle the samples
            self._source.on_epoch_begin()
            self._source.on_epoch_end()
        self._passes = number + 1
        self._source.on_epoch_begin()
        length = self.steps(batch_size)
        for place in itertools.count() if length is None else range(length):
            yield self._at(place)
        self._source.on_epoch_end()

    def _at(self, place: int) -> Split:
        try:
            batch = self._source[place]
        except Exception as error:  # a user's class may raise anything
            raise _failure(f"batch {place + 1} of {self.kind}", error) from error
        return split_of(batch, f"batch {place + 1} of {self.kind}")


class SampleStream(BatchStream):
    """Batches of a source of single samples by their number: in trivium's own order and batch size.

    Args:
        length: the number of samples.
        fetch: returns the batch of these samples, given their numbers and the name of the batch.
    """

    def __init__(self, kind: str, length: int, fetch: Callable[[np.ndarray, str], Split]):
        self.kind = kind
        self._length, self._fetch = length, fetch

    @classmethod
    def of_samples(cls, kind: str, source: Any) -> SampleStream:
        """Return the stream of a source that gives one sample for one number."""
        return cls(kind, len(source), lambda rows, where: stacked([source[int(row)] for row in rows], where))

    def steps(self, batch_size: int) -> int | None:
        return -(-self._length // batch_size)

    def sample(self, batch_size: int) -> Split:
        if not self._length:
            raise DataError(f"{self.kind} has no samples")
        return self._batch(np.arange(min(batch_size, self._length)), 0)

    def batches(self, number: int, batch_size: int, order: SampleOrder) -> Iterator[Split]:
        rows = order(number, self._length)
        for place, start in enumerate(range(0, self._length, batch_size)):
            yield self._batch(rows[start : start + batch_size], place)

    def _batch(self, rows: np.ndarray, place: int) -> Split:
        where = f"batch {place + 1} of {self.kind}"
        try:
            return self._fetch(rows, where)
        except TriviumError:
            raise
        except Exception as error:  # a user's class may raise anything
            raise _failure(where, error) from error


def _guarded(batches: Iterator[Any], kind: str) -> Iterator[Any]:
    """Yield the batches; what a user's iterator raises becomes an error of one line."""
    for place in itertools.count():
        try:
            batch = next(batches)
        except StopIteration:
            return
        except Exception as error:  # a user's iterator may raise anything
            raise _failure(f"batch {place + 1} of {kind}", error) from error
        yield batch


def _failure(what: str, error: Exception) -> TriviumError:
    if isinstance(error, TriviumError):
        return error
    return DataError(f"{what} failed: {type(error).__name__}: {first_line(error)}")
