"""The batches of a stream for `keras.Model.fit`: checked, prepared and read ahead in another thread."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import keras
import numpy as np

from ...data.axes import shape_matches
from ...data.nests import concatenated, named_arrays
from ...data.split import Split
from ...data.streams.stream import BatchStream
from ...errors import DataError, OptionError
from .batches import Batch, TrainingBatches, in_floatx, sample_order
from .prefetch import PrefetchedIterator

# The shape of a sample by the name of the array; None for any length.
Shapes = dict[str, tuple[int | None, ...]]


class StreamBatches(TrainingBatches):
    """The batches of one epoch after the other, for training.

    A stream with a known number of batches gives one pass an epoch. Any other, or one with a number of steps, is read
    on through the epochs, and from its beginning again where it ends and can be read again.

    Args:
        stream: the source.
        check: the check of its batches.
        prepare: returns a batch in the nests of the model.
        batch_size, seed, shuffle: of a source of single samples.
        steps: batches per epoch; None for the batches of one pass, whose number must be known.

    Attributes:
        ended: whether the source has ended, so that there are no further batches.
        count: the batches that were trained on in this session.
    """

    def __init__(
        self,
        stream: BatchStream,
        check: BatchCheck,
        prepare: Callable[[Split], Split],
        *,
        batch_size: int,
        seed: int,
        shuffle: bool,
        steps: int | None,
    ):
        length = stream.steps(batch_size) if steps is None else steps
        assert length, "the caller requires a number of batches"
        super().__init__(self._first, length, f"the data are {stream.kind}")
        self.ended = False
        self.count = 0
        self.kind = stream.kind
        self._by_pass = steps is None
        self._stream, self._check, self._prepare = stream, check, prepare
        self._batch_size, self._seed, self._shuffle = batch_size, seed, shuffle
        self._supply, self._served_count = _Supply(), 0
        self._reader: PrefetchedIterator[Batch] | None = None

    @property
    def can_repeat(self) -> bool:
        """Whether the source can be read from its beginning again."""
        return self._stream.can_repeat

    def generator(self) -> Iterator[Batch]:
        """Yield the batches as `in_order`, read ahead in another thread."""
        self._begin()
        self._reader = PrefetchedIterator(self._prepared())
        return self._served(self._reader)

    def read(self) -> Iterator[Split]:
        """Yield the batches as they come, from the current epoch on, without an end if the source has none.

        An error of the source ends them, and is raised at the end of its epoch. Give them to `prepared` in this order.

        Raises:
            OptionError: the current epoch is not the first, and the source can be read once.
        """
        self._begin()
        return self._read()

    def prepared(self, splits: Sequence[Split]) -> tuple[Batch, int]:
        """Check and prepare batches of one form together, which is much faster than one by one.

        Returns:
            Their samples, one batch after the other, and the number of batches. A batch that is wrong ends them; its
            error is raised at the end of its epoch.
        """
        try:
            batch, count = self._prepare_checked(Split(*concatenated([split.arrays for split in splits])), len(splits))
        except Exception:  # of which of them, shows where each is looked at by itself
            batch, count = self._prepared_up_to_an_error(splits)
        self._served_count += count
        return batch, count

    def _begin(self) -> None:
        if self.epoch and not self.can_repeat:
            raise OptionError(f"the data are {self.kind}, which can be read once: its run cannot be resumed")
        self._supply, self._served_count = _Supply(), 0

    def close(self) -> None:
        if self._reader:
            self._reader.close()

    def end_epoch(self, is_last: bool) -> None:
        """Note that the steps of an epoch were trained, and find out whether its source has ended.

        Args:
            is_last: whether no further batch is needed.

        Raises:
            Exception: what the source has raised in this epoch.
        """
        trained = self.count + len(self)
        if self.error and self._served_count < trained:
            raise self.error
        wanted = trained if is_last else trained + 1
        available = self._supply.wait_for(wanted)
        self.ended = available < wanted
        self.count = min(trained, available)

    def _served(self, reader: Iterator[Batch]) -> Iterator[Batch]:
        """Yield the batches; an error ends them, and is raised at the end of its epoch.

        TensorFlow, which asks for batches in a thread of its own, would print the traceback of an error.
        """
        try:
            for batch in reader:
                self._served_count += 1
                yield batch
        except Exception as error:
            self.error = error

    def _prepared(self) -> Iterator[Batch]:
        try:
            for split in self._splits():
                batch, _ = self._prepare_checked(split)
                self._supply.add()
                yield batch
        except Exception:
            self._supply.add()  # the error takes the place of a batch, and is raised there
            raise
        self._supply.end()

    def _read(self) -> Iterator[Split]:
        try:
            for split in self._splits():
                self._supply.add()
                yield split
        except Exception as error:
            self.error = error
            self._supply.add()  # the error takes the place of a batch, and is raised there
        else:
            self._supply.end()

    def _prepare_checked(self, split: Split, count: int = 1) -> tuple[Batch, int]:
        """Return the prepared samples of so many batches, and their number."""
        self._check(split, count)
        return in_floatx(self._prepare(split).arrays), count

    def _prepared_up_to_an_error(self, splits: Sequence[Split]) -> tuple[Batch, int]:
        batches: list[Batch] = []
        try:
            for split in splits:
                batches.append(self._prepare_checked(split)[0])
        except Exception as error:
            self.error = error
        return (concatenated(batches) if batches else ()), len(batches)

    def _splits(self) -> Iterator[Split]:
        if not self._by_pass:
            return itertools.islice(self._endless(), self.epoch * len(self), None)
        return itertools.chain.from_iterable(self._passes())

    def _passes(self) -> Iterator[Iterator[Split]]:
        """Yield the batches of each epoch, up to a pass that is shorter than the others."""
        for number in itertools.count(self.epoch):
            before = self._supply.count
            batches = self._pass(number)
            yield itertools.islice(batches, len(self))
            next(batches, None)  # lets the source finish its pass
            if self._supply.count - before < len(self):
                return

    def _endless(self) -> Iterator[Split]:
        for number in itertools.count():
            empty = True
            for split in self._pass(number):
                empty = False
                yield split
            if empty or not self._stream.can_repeat:
                return

    def _pass(self, number: int) -> Iterator[Split]:
        def order(number: int, samples: int) -> np.ndarray:
            return sample_order(self._seed, number, samples, self._shuffle)

        return self._stream.batches(number, self._batch_size, order)

    def _first(self, epoch: int, place: int) -> Batch:
        """Return the first batch, whatever was asked for: the others come in their order alone."""
        return in_floatx(self._prepare(self._stream.sample(self._batch_size)).arrays)


class StopAtEnd(keras.callbacks.Callback):
    """End the run after the epoch in which its stream ended, and before the end of one in which it failed.

    It must be the first callback, so that the others do not see an epoch that failed.
    """

    def __init__(self, batches: StreamBatches):
        super().__init__()
        self._batches = batches

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self._batches.end_epoch(is_last=epoch + 1 == self.params["epochs"])
        if self._batches.ended:
            self.model.stop_training = True


class BatchCheck:
    """Checks that each batch has the arrays and the shapes of the first one.

    Args:
        kind: of the stream, for messages.
        first: a first batch, as it comes.
        classes: the number of classes of the targets; 0 where they are values.
        is_variable: whether the model takes samples of any length, so that lengths may differ.
    """

    def __init__(self, kind: str, first: Split, classes: int, is_variable: bool):
        self._kind, self._classes = kind, classes
        self._is_weighted = first.weight is not None
        self._shapes: Shapes = {
            name: (None,) * (array.ndim - 1) if is_variable else array.shape[1:]
            for name, array in _arrays(first).items()
        }
        self._place = 0

    def __call__(self, split: Split, count: int = 1) -> None:
        """Check the next batch, or so many of them, one after the other in a split.

        Raises:
            DataError: it has other arrays or shapes, a value that is not finite, or a class that the model has not.
        """
        where = f"batch {self._place + 1} of {self._kind}"
        arrays = _arrays(split)
        if arrays.keys() != self._shapes.keys() or self._is_weighted != (split.weight is not None):
            weight = " with weights" if split.weight is not None else ""
            raise DataError(f"{where} has the arrays {', '.join(arrays)}{weight}; batch 1 had {self._names()}")
        for name, array in arrays.items():
            expected = self._shapes[name]
            if not shape_matches(expected, array.shape[1:]):
                raise DataError(
                    f"{where}: a sample of {name} has shape {array.shape[1:]}, in batch 1 it had {expected}"
                )
            if array.dtype.kind == "f" and not np.isfinite(array).all():
                raise DataError(f"{where}: {name} holds values that are NaN or infinite")
        if self._classes and not (split.y.min() >= 0 and split.y.max() < self._classes):
            raise DataError(
                f"{where}: its classes range from {split.y.min()} to {split.y.max()}, but the model has outputs for "
                f"{self._classes}: number them from 0, or give y as floats if it is a value"
            )
        self._place += count

    def _names(self) -> str:
        return ", ".join(self._shapes) + (" with weights" if self._is_weighted else "")


def validation_batches(stream: BatchStream, prepare: Callable[[Split], Split], batch_size: int) -> TrainingBatches:
    """Return the batches of a stream to validate on: one pass after each epoch, read ahead in another thread."""
    steps = stream.steps(batch_size)
    assert steps is not None
    passes = _Passes(stream, prepare, batch_size, steps)
    return TrainingBatches(lambda epoch, place: passes(place), steps, ahead=True)


class _Passes:
    """Batches by their place in a pass, which begins anew wherever a place is not the next one."""

    def __init__(self, stream: BatchStream, prepare: Callable[[Split], Split], batch_size: int, steps: int):
        self._stream, self._prepare, self._batch_size, self._steps = stream, prepare, batch_size, steps
        self._batches: Iterator[Split] = iter(())
        self._next = -1

    def __call__(self, place: int) -> Batch:
        if place != self._next:
            batches = self._stream.batches(0, self._batch_size, lambda _, samples: np.arange(samples))
            self._batches = itertools.islice(batches, place, None)
        split = next(self._batches, None)
        if split is None:
            raise DataError(f"{self._stream.kind} ended before batch {place + 1} of its {self._steps} to validate on")
        self._next = place + 1
        return in_floatx(self._prepare(split).arrays)


class _Supply:
    """Counts the batches that were read, for a thread that waits for them."""

    def __init__(self) -> None:
        self.count = 0
        self._has_ended = False
        self._changed = threading.Condition()

    def add(self) -> None:
        with self._changed:
            self.count += 1
            self._changed.notify_all()

    def end(self) -> None:
        with self._changed:
            self._has_ended = True
            self._changed.notify_all()

    def wait_for(self, count: int) -> int:
        """Wait until so many batches were read or there are no more; return how many there are."""
        with self._changed:
            self._changed.wait_for(lambda: self.count >= count or self._has_ended)
            return self.count


def _arrays(split: Split) -> dict[str, np.ndarray]:
    return named_arrays(split.x, "x") | named_arrays(split.y, "y")
