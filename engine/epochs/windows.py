"""Epochs over data that are not in memory: a window of batches is on the device, the next one is being prepared.

The backend's own loop trains the steps of a window. Then the data of the window are replaced by those of the next one,
which another thread has read, drawn or prepared meanwhile. The shapes stay the same, so nothing is compiled again, and
the steps are those of data in memory.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable, Iterator
from functools import cached_property

import numpy as np

from ...backends import runtime
from ...backends.epochs import Data, EpochRunner, Plan
from ...data.dataset import Split
from ...data.nests import arrays_of, concatenated, map_arrays, sample_count
from .batches import Batch, TrainingBatches, in_floatx
from .compiled_runners import CompiledRunners
from .prefetch import Prefetcher

# The size of a window: many steps of a small model, and little beside the memory of a machine.
_WINDOW_SIZE = 2**24  # bytes
# Batches that are drawn are worth more than those that are read: training begins when a window is full.
_MOST_DRAWN = 64


class WindowedEpochs(EpochRunner):
    """Runs epochs of a compiled model over one window of batches after the other.

    Args:
        model: compiled, and with its metrics built.
        data: (n, …) arrays, or nests of them, with the shapes and dtypes of an epoch's data; their values are not read.
        batch_size: samples per step; the last step has the remainder.
        plan: one of the runtime's `plans`.
        most: full batches of a window, at most.
    """

    def __init__(self, model: object, data: Data, batch_size: int, plan: Plan, most: int | None = None):
        super().__init__(model, data, batch_size, plan)
        batch_bytes = batch_size * sum(array.nbytes // len(array) for array in arrays_of(data))
        # Full batches of a window.
        self._window = min(self.full_batches, most or self.full_batches, max(1, _WINDOW_SIZE // max(1, batch_bytes)))
        self._windows = math.ceil(self.full_batches / self._window) if self._window else 1
        self._rest = self.samples - self.full_batches * batch_size
        self._reader = Prefetcher(self._read, self._windows, ahead=1)
        self._epoch = -1
        # The order of the current epoch and, where one follows, of the next; by epoch.
        self._orders: dict[int, Callable[[], np.ndarray]] = {}

    def begin(self, order: np.ndarray) -> None:
        self._orders.pop(self._epoch, None)
        self._epoch = self._next_epoch()
        self._orders[self._epoch] = lambda: order
        self._loaded = -1
        self._trainer.begin(np.arange(self._trainer.samples))

    def foresee(self, order: Callable[[], np.ndarray]) -> None:
        self._orders[self._epoch + 1] = order

    def run(self, start: int, stop: int) -> None:
        for number, first, last in self._pieces(start, stop):
            if number != self._loaded:
                self._load(number)
            self._trainer.run(first, last)
            self.logs = self._trainer.logs

    def publish(self) -> None:
        self._trainer.publish()

    def adopt(self) -> None:
        self._trainer.adopt()

    def loss(self) -> float:
        return self._trainer.loss()

    def end(self) -> None:
        self._trainer.end()

    def close(self) -> None:
        self._reader.close()

    @cached_property
    def _trainer(self) -> EpochRunner:
        """The backend's own runner over one window: its full batches, then the remainder of the epoch."""
        return runtime.current().compile_epochs(self.model, self._example(), self.batch_size, self.plan)

    def _load(self, number: int) -> None:
        """Put a window on the device; the one after it, in this epoch or the next, is read meanwhile."""
        window = self._reader(self._epoch, number)
        if number == self._windows - 1 and self._epoch + 1 in self._orders:
            self._reader.read_ahead(self._epoch + 1, 0)
        self._trainer.replace_data(window)
        self._loaded = number

    def _pieces(self, start: int, stop: int) -> Iterator[tuple[int, int, int]]:
        """Yield steps of the epoch as a window and the steps in it; the remainder is its last step."""
        while start < min(stop, self.full_batches):
            number = start // self._window
            last = min(stop, self.full_batches, (number + 1) * self._window)
            yield number, start - number * self._window, last - number * self._window
            start = last
        if stop > self.full_batches:
            yield self._windows - 1, self._window, self._window + 1

    def _next_epoch(self) -> int:
        """Return the number of the epoch that begins."""
        return self._epoch + 1

    @abstractmethod
    def _example(self) -> Data:
        """Return data with the shapes of a window, which are replaced before the first step."""

    @abstractmethod
    def _read(self, epoch: int, number: int) -> Data:
        """Return the samples of a window in the order of the epoch; called in another thread.

        The last window repeats its samples to have as many as the others. The remainder follows in it; in other windows
        any samples stand there. The first window of the next epoch may be asked for before that epoch begins.
        """


class DeferredEpochs(WindowedEpochs):
    """Runs epochs over prepared samples and targets that are read from their files when they are asked for."""

    def __init__(self, model: object, split: Split, batch_size: int, plan: Plan):
        super().__init__(model, split.arrays, batch_size, plan)
        self._split = split
        self._evaluators = CompiledRunners(model, plan)  # for a window, and for the last one

    def evaluate(self) -> None:
        size = self._window * self.batch_size
        starts = range(0, self.samples, size or self.samples)
        reader: Prefetcher[Data] = Prefetcher(lambda _, number: self._take(starts[number]).arrays, len(starts), ahead=1)
        try:
            for number in range(len(starts)):
                data = reader(0, number)
                evaluator = self._evaluators.with_data(sample_count(data), data, self.batch_size)
                evaluator.evaluate()
                self.logs = evaluator.logs
        finally:
            reader.close()

    def _example(self) -> Data:
        return self._split.take(slice(0, self._window * self.batch_size + self._rest)).arrays

    def _read(self, epoch: int, number: int) -> Data:
        size = self._window * self.batch_size
        order = self._orders[epoch]()
        whole = order[: self.full_batches * self.batch_size]
        rows = np.resize(whole[number * size : (number + 1) * size], size)
        rest = order[len(whole) :] if number == self._windows - 1 else rows[: self._rest]
        return self._split.take(np.concatenate([rows, rest])).arrays

    def _take(self, start: int) -> Split:
        return self._split.take(slice(start, start + (self._window * self.batch_size or self.samples)))


class DrawnEpochs(WindowedEpochs):
    """Runs epochs over batches that are drawn or changed anew for each epoch.

    Args:
        batches: with a known number of samples; their `epoch` is that of the run.
        example: one of the batches, the first.
    """

    def __init__(self, model: object, batches: TrainingBatches, example: Batch, batch_size: int, plan: Plan):
        assert batches.samples, "a stream, whose batches nobody can count beforehand"
        self._batches, self._first = batches, in_floatx(example)
        super().__init__(model, _repeated(self._first, batches.samples), batch_size, plan, _MOST_DRAWN)

    def close(self) -> None:
        super().close()
        self._batches.close()

    def evaluate(self) -> None:
        raise NotImplementedError("batches that are drawn anew are only trained on")

    def _next_epoch(self) -> int:
        return self._batches.epoch

    def _example(self) -> Data:
        rows: Data = map_arrays(np.array, _repeated(self._first, self._window * self.batch_size + self._rest))
        return rows

    def _read(self, epoch: int, number: int) -> Data:
        places = range(number * self._window, min((number + 1) * self._window, self.full_batches))
        batches = [self._batches.fetch(epoch, place) for place in places]
        if batches:
            batches += [batches[0]] * (self._window - len(batches))
        if self._rest:
            is_last = number == self._windows - 1
            rest = self._batches.fetch(epoch, self.full_batches) if is_last else _repeated(self._first, self._rest)
            batches.append(rest)
        return in_floatx(concatenated(batches))


def _repeated(batch: Batch, samples: int) -> Data:
    """Return data of this many samples, each of which is the first of the batch; they take no memory."""
    repeated: Data = map_arrays(lambda array: np.broadcast_to(array[:1], (samples, *array.shape[1:])), batch)
    return repeated
