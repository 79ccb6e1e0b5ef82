"""Epochs over a stream of batches: some of them are on the device, the next ones are being read and put together.

Batches of one shape are trained by one compiled runner, window by window, so that several of them are one call. A
window is closed after a while, so that a slow stream does not keep the training waiting for a full one.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...backends.epochs import Data, EpochRunner, Evaluator, Plan
from ...data.nests import arrays_of, concatenated, form_of, map_arrays, sample_count
from ...data.split import Split
from .batches import Batch, TrainingBatches
from .compiled_runners import CompiledRunners
from .prefetch import PrefetchedIterator
from .stream_batches import StreamBatches

_WINDOW_SIZE = 2**24  # bytes
_MOST_BATCHES = 64
_SECONDS = 0.2  # for which a window waits for further batches

# Checks and prepares batches of one form: returns the samples of those before the first that is wrong, one batch after
# the other, and their number.
Prepare = Callable[[Sequence[Split]], tuple[Batch, int]]


@dataclass(frozen=True)
class _Window:
    """Batches of one form, put together.

    Attributes:
        form: of each batch; a compiled runner depends on it.
        count: the number of batches.
        batch_size: the number of samples in each.
        data: the samples, one batch after the other; they may be repeated after the last.
    """

    form: Hashable
    count: int
    batch_size: int
    data: Data

    @classmethod
    def of(cls, data: Batch, count: int, places: int) -> _Window:
        """Return the window of some batches.

        Args:
            places: how many batches it has, the repeated ones included.
        """
        samples = sample_count(data)
        size = samples // count
        if places > count:
            data = map_arrays(lambda array: np.resize(array, (places * size, *array.shape[1:])), data)
        one = map_arrays(lambda array: array[:size], data)
        return cls(form_of(one), count, size, data)


class StreamedEpochs(EpochRunner):
    """Trains a compiled model on a stream.

    Args:
        model: compiled, and with its metrics built.
        batches: read from their current epoch on.
        example: a batch of the stream.
        plan: one of the runtime's `plans`.
    """

    def __init__(self, model: Any, batches: StreamBatches, example: Batch, plan: Plan):
        super().__init__(model, example, sample_count(example), plan)
        self.steps = len(batches)
        self._batches = batches
        self._windows: PrefetchedIterator[_Window] | None = None
        self._window: tuple[int, int] = 0, 0  # the batches of the current window that were trained, and all of them
        self._runners = CompiledRunners(model, plan)
        self._active: EpochRunner | None = None

    def begin(self, order: np.ndarray) -> None:
        self.ended = False
        if self._windows is None:
            groups = _groups_of(self._batches.read(), self.steps, _SECONDS)
            self._windows = PrefetchedIterator(_windows_of(groups, self._batches.prepared, is_filled=True))

    def run(self, start: int, stop: int) -> None:
        while start < stop and not self.ended:
            first, count = self._window
            if first == count:
                self._load()
                continue
            assert self._active
            last = min(count, first + stop - start)
            self._active.run(first, last)
            self.logs = self._active.logs
            self._window = last, count
            start += last - first

    def publish(self) -> None:
        if self._active:
            self._active.publish()

    def adopt(self) -> None:
        if self._active:
            self._active.adopt()

    def loss(self) -> float:
        return self._active.loss() if self._active else 0.0

    def end(self) -> None:
        if self._active:
            self._active.end()
        self._active = None

    def close(self) -> None:
        if self._windows:
            self._windows.close()
        self._batches.close()

    def evaluate(self) -> None:
        raise NotImplementedError("a stream of the training is not evaluated")

    def _load(self) -> None:
        """Put the next window on the device; note where there is none."""
        assert self._windows
        window = next(self._windows, None)
        if window is None:
            self.ended = True
            return
        runner = self._runners.with_data(window.form, window.data, window.batch_size)
        if runner is not self._active:
            self.end()
            runner.begin(np.arange(runner.samples))
            self._active = runner
        self._window = 0, window.count


class StreamedValidation(Evaluator):
    """Evaluates a compiled model on one pass of a stream.

    Args:
        model: compiled, and with its metrics built.
        batches: those of a pass.
        plan: one of the runtime's `plans`.
    """

    def __init__(self, model: Any, batches: TrainingBatches, plan: Plan):
        super().__init__(model, plan)
        self._batches = batches
        self._runners = CompiledRunners(model, plan)

    def close(self) -> None:
        self._batches.close()

    def evaluate(self) -> None:
        batches = (Split(*self._batches[place]) for place in range(len(self._batches)))
        groups = _groups_of(batches, len(self._batches), math.inf)
        for window in _windows_of(groups, _as_they_are, is_filled=False):
            runner = self._runners.with_data((window.form, window.count), window.data, window.batch_size)
            runner.evaluate()
            self.logs = runner.logs


def _groups_of(batches: Iterator[Split], steps: int, seconds: float) -> Iterator[list[Split]]:
    """Yield batches of one form together, those of a window; no window reaches beyond an epoch.

    Args:
        steps: batches per epoch.
        seconds: for which a window waits for further batches.
    """
    group: list[Split] = []
    form: Hashable = None
    most, end = 0, 0.0
    for place, batch in enumerate(batches):
        own_form = form_of(batch.arrays)
        if group and (own_form != form or time.monotonic() > end):
            yield group
            group = []
        if not group:
            form, most, end = own_form, _most_batches(batch.arrays), time.monotonic() + seconds
        group.append(batch)
        if len(group) == most or (place + 1) % steps == 0:
            yield group
            group = []
    if group:
        yield group


def _windows_of(groups: Iterator[list[Split]], prepare: Prepare, is_filled: bool) -> Iterator[_Window]:
    """Yield the windows of groups of batches, up to a batch that is wrong.

    Args:
        is_filled: whether a window with few batches is filled up with their samples, so that all are of one size.
    """
    for group in groups:
        data, count = prepare(group)
        if count:
            yield _Window.of(data, count, _most_batches(group[0].arrays) if is_filled else count)
        if count < len(group):
            return


def _as_they_are(splits: Sequence[Split]) -> tuple[Batch, int]:
    return concatenated([split.arrays for split in splits]), len(splits)


def _most_batches(batch: Batch) -> int:
    nbytes: int = sum(array.nbytes for array in arrays_of(batch))
    return max(1, min(_MOST_BATCHES, _WINDOW_SIZE // max(1, nbytes)))
