"""Watches a training for its target, and stops it there. Imports Keras: for workers only."""

from __future__ import annotations

import time
from typing import Any

import keras

from ...backends.epochs import as_numbers
from ...backends.runtime import Runtime
from ...storage.energy_counters import EnergyMeter
from .target import Target

# A training of one epoch would not tell how much of it was compilation.
_FEWEST_EPOCHS = 2


class TargetWatch(keras.callbacks.Callback):
    """Stop the training after the epoch whose validation reaches the target, but not before the second epoch.

    The clock begins with the first epoch and is never paused: compilation and validation are part of the time. The
    device is synchronised at each reading.

    Args:
        target: with its direction.
        runtime: of the backend.
        meter: of the energy of the CPU packages.

    Attributes:
        began: the reading of the clock before the first epoch, in seconds.
        epoch_ends: seconds from there to the end of each epoch's validation.
        values: the metric after each epoch.
        joules: what the CPU packages took for each epoch and its validation; None where they do not tell.
        reached_at: the number of the first epoch that reached the target, counted from 1; None if none has.
    """

    def __init__(self, target: Target, runtime: Runtime, meter: EnergyMeter):
        super().__init__()
        self.began: float | None = None
        self.epoch_ends: list[float] = []
        self.values: list[float] = []
        self.joules: list[float | None] = []
        self.reached_at: int | None = None
        self._target, self._runtime, self._meter = target, runtime, meter

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        if self.began is None:
            self.began = self._now()
            self._meter.start()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        assert self.began is not None
        self.epoch_ends.append(self._now() - self.began)
        self.joules.append(self._meter.lap())
        self.values.append(as_numbers(logs or {})[self._target.metric])
        if self.reached_at is None and self._target.is_reached(self.values[-1]):
            self.reached_at = len(self.values)
        if self.reached_at and len(self.values) >= _FEWEST_EPOCHS:
            self.model.stop_training = True

    def _now(self) -> float:
        self._runtime.synchronise([variable.value for variable in self.model.variables])
        return time.perf_counter()
