"""Epochs over data that are larger than memory: a window of batches is on the device, the next one is being read.

The backend's own loop trains the steps of a window. Then the data of the window are replaced by those of the next one,
which another thread has read and prepared meanwhile. The shapes stay the same, so nothing is compiled again, and the
steps are those of data in memory.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import cached_property

import numpy as np

from ...backends import runtime
from ...backends.epochs import Data, EpochRunner, Plan
from ...data.dataset import Split
from ...data.nests import arrays_of
from .prefetch import Prefetcher

# The size of a window: many steps of a small model, and little beside the memory of a machine.
_WINDOW_SIZE = 2**24  # bytes


class WindowedEpochs(EpochRunner):
    """Runs epochs of a compiled model over deferred arrays.

    Args:
        model: compiled, with one input, and with its metrics built.
        split: prepared samples and targets, read when they are asked for.
        batch_size: samples per step; the last step has the remainder.
        plan: one of the runtime's `plans`.
    """

    def __init__(self, model: object, split: Split, batch_size: int, plan: Plan):
        super().__init__(model, split.arrays, batch_size, plan)
        self._split = split
        batch_bytes = batch_size * sum(array.nbytes // len(array) for array in arrays_of(split.arrays))
        # Full batches of a window.
        self._window = min(self.full_batches, max(1, _WINDOW_SIZE // max(1, batch_bytes)))
        self._windows = math.ceil(self.full_batches / self._window) if self._window else 1
        self._rest = self.samples - self.full_batches * batch_size
        self._reader = Prefetcher(self._read, self._windows, ahead=1)
        self._epoch = -1

    def begin(self, order: np.ndarray) -> None:
        self._order = order
        self._epoch += 1
        self._loaded = -1
        self._trainer.begin(np.arange(self._trainer.samples))

    def run(self, start: int, stop: int) -> None:
        for number, first, last in self._pieces(start, stop):
            if number != self._loaded:
                self._trainer.replace_data(self._reader(self._epoch, number))
                self._loaded = number
            self._trainer.run(first, last)

    def loss(self) -> float:
        return self._trainer.loss()

    def end(self) -> None:
        self._trainer.end()
        self._reader.close()

    def evaluate(self) -> None:
        size = self._window * self.batch_size
        starts = range(0, self.samples, size or self.samples)
        reader: Prefetcher[Data] = Prefetcher(lambda _, number: self._take(starts[number]).arrays, len(starts), ahead=1)
        try:
            for number in range(len(starts)):
                data = reader(0, number)
                evaluator = self._evaluators.get(len(data[0]))
                if not evaluator:
                    evaluator = runtime.current().compile_epochs(self.model, data, self.batch_size, self.plan)
                    self._evaluators[len(data[0])] = evaluator
                evaluator.replace_data(data)
                evaluator.evaluate()
        finally:
            reader.close()

    @cached_property
    def _trainer(self) -> EpochRunner:
        """The backend's own runner over one window: its full batches, then the remainder of the epoch."""
        rows = self._split.take(slice(0, self._window * self.batch_size + self._rest))
        return runtime.current().compile_epochs(self.model, rows.arrays, self.batch_size, self.plan)

    @cached_property
    def _evaluators(self) -> dict[int, EpochRunner]:
        """The backend's own runners by their number of samples: that of a window, and that of the last one."""
        return {}

    def _pieces(self, start: int, stop: int) -> Iterator[tuple[int, int, int]]:
        """Yield steps of the epoch as a window and the steps in it; the remainder is its last step."""
        while start < min(stop, self.full_batches):
            number = start // self._window
            last = min(stop, self.full_batches, (number + 1) * self._window)
            yield number, start - number * self._window, last - number * self._window
            start = last
        if stop > self.full_batches:
            yield self._windows - 1, self._window, self._window + 1

    def _read(self, epoch: int, number: int) -> Data:
        """Read the samples of a window in the order of the epoch.

        The last window repeats its samples to have as many as the others. The remainder follows in it; in other windows
        any samples stand there.
        """
        size = self._window * self.batch_size
        whole = self._order[: self.full_batches * self.batch_size]
        rows = np.resize(whole[number * size : (number + 1) * size], size)
        rest = self._order[len(whole) :] if number == self._windows - 1 else rows[: self._rest]
        return self._split.take(np.concatenate([rows, rest])).arrays

    def _take(self, start: int) -> Split:
        return self._split.take(slice(start, start + (self._window * self.batch_size or self.samples)))
