"""Epochs over a stream of batches: some of them are on the device, the next ones are being read and put together.

Batches of one shape are trained by one compiled runner, window by window, so that several of them are one call. A
window is closed after a while, so that a slow stream does not keep the training waiting for a full one.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...backends.epochs import Data, EpochRunner, Evaluator, Plan
from ...data.nests import arrays_of, concatenated, named_arrays, sample_count
from .batches import Batch, TrainingBatches
from .compiled_runners import CompiledRunners
from .prefetch import PrefetchedIterator
from .stream_batches import StreamBatches

_WINDOW_SIZE = 2**24  # bytes
_MOST_BATCHES = 64
_SECONDS = 0.2  # for which a window waits for further batches

# What a compiled runner depends on: the name, shape and dtype of each array of a batch.
Shape = tuple[tuple[str, tuple[int, ...], str], ...]


@dataclass(frozen=True)
class _Window:
    """Batches of one shape, put together.

    Attributes:
        shape: of each batch.
        count: the number of batches.
        batch_size: the number of samples in each.
        data: the samples, one batch after the other; the first batch may be repeated after the last.
    """

    shape: Shape
    count: int
    batch_size: int
    data: Data

    @classmethod
    def of(cls, batches: list[Batch], is_filled: bool) -> _Window:
        """Put batches of one shape together.

        Args:
            is_filled: whether the first is repeated until there are as many as a window of this shape may have.
        """
        first, *_ = batches
        repeated = [first] * (_most_batches(first) - len(batches)) if is_filled else []
        return cls(shape_of(first), len(batches), sample_count(first), concatenated([*batches, *repeated]))


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
            self._windows = PrefetchedIterator(_windows_of(self._batches.in_order(), self.steps))

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
        runner = self._runners.with_data(window.shape, window.data, window.batch_size)
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
        batches = (self._batches[place] for place in range(len(self._batches)))
        for window in _windows_of(batches, len(self._batches), is_filled=False):
            runner = self._runners.with_data((window.shape, window.count), window.data, window.batch_size)
            runner.evaluate()
            self.logs = runner.logs


def _windows_of(batches: Iterator[Batch], steps: int, is_filled: bool = True) -> Iterator[_Window]:
    """Yield the batches in windows, none of which reaches beyond an epoch.

    Args:
        steps: batches per epoch.
        is_filled: whether a window with few batches is filled up, instead of waiting for further ones.
    """
    seconds = _SECONDS if is_filled else math.inf
    waiting: list[Batch] = []
    shape: Shape = ()
    began = time.monotonic()
    for place, batch in enumerate(batches):
        own_shape = shape_of(batch)
        if waiting and (own_shape != shape or time.monotonic() - began > seconds):
            yield _Window.of(waiting, is_filled)
            waiting = []
        if not waiting:
            shape, began = own_shape, time.monotonic()
        waiting.append(batch)
        if len(waiting) == _most_batches(batch) or (place + 1) % steps == 0:
            yield _Window.of(waiting, is_filled)
            waiting = []
    if waiting:
        yield _Window.of(waiting, is_filled)


def shape_of(batch: Batch) -> Shape:
    """Return the names, shapes and dtypes of the arrays of a batch."""
    named = named_arrays(batch, "batch")
    return tuple((name, array.shape, array.dtype.str) for name, array in named.items())


def _most_batches(batch: Batch) -> int:
    nbytes: int = sum(array.nbytes for array in arrays_of(batch))
    return max(1, min(_MOST_BATCHES, _WINDOW_SIZE // max(1, nbytes)))
