"""Training data batch by batch, in an order that is ours: the same on every backend.

What a batch holds depends on the epoch and on its place in it, and on nothing that was asked before: any epoch can be
repeated, or begun with, without those before it.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from ...backends.same_run.randomness import order
from ..data.augmentation import Augmentation
from ..data.dataset import Split
from ..preprocessing.pipeline import Preprocessing

# Inputs and targets, or raw samples and labels; then weights, where samples count differently.
Batch = tuple[np.ndarray, ...]
# The batch at a place of an epoch: (epoch, place) → batch.
Fetch = Callable[[int, int], Batch]


class Batches(keras.utils.PyDataset):
    """What `keras.Model.fit` takes its batches from.

    Args:
        fetch: gives the prepared batch at a place of an epoch.
        steps: batches an epoch.

    Attributes:
        epoch: the number, from 0, of the epoch that is under way. `FollowEpoch` sets it: Keras' own `on_epoch_end` is
            also called after a look at the first batch.
    """

    def __init__(self, fetch: Fetch, steps: int):
        super().__init__()
        self.epoch = 0
        self._fetch = fetch
        self._steps = steps

    def __len__(self) -> int:
        return self._steps

    def __getitem__(self, place: int) -> Batch:
        return self._fetch(self.epoch, place)


class FollowEpoch(keras.callbacks.Callback):
    """Tells batches which epoch it is."""

    def __init__(self, batches: Batches):
        super().__init__()
        self._batches = batches

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self._batches.epoch = epoch


@dataclass(frozen=True)
class Schedule:
    """Which epochs a run trains, and in which order and how many at a time each takes the samples.

    Attributes:
        batch_size: samples in a step; an epoch's last step may have fewer.
        epochs: how many the whole run has, those before `first_epoch` included.
        seed: of the order.
        shuffle: a new order each epoch; else the samples as they come.
        first_epoch: the number, from 0, of the epoch to begin with: those before it were trained earlier.
    """

    batch_size: int
    epochs: int
    seed: int
    shuffle: bool
    first_epoch: int = 0

    def order(self, epoch: int, samples: int) -> np.ndarray:
        """The order in which that epoch takes the samples: (samples,) integers."""
        return taken(self.seed, epoch, samples, self.shuffle)

    def steps(self, data: Split | Batches) -> int:
        """Steps that are to be trained in all."""
        each = steps_of(len(data), self.batch_size) if isinstance(data, Split) else len(data)
        return max(0, self.epochs - self.first_epoch) * each


def taken(seed: int, epoch: int, samples: int, shuffle: bool) -> np.ndarray:
    """The order in which an epoch takes the samples: (samples,) integers."""
    return order(seed, epoch, samples) if shuffle else np.arange(samples)


def steps_of(samples: int, batch_size: int) -> int:
    """Batches an epoch; the last one may be smaller."""
    return math.ceil(samples / batch_size)


def stored(split: Split, batch_size: int, seed: int, shuffle: bool) -> Fetch:
    """Batches of samples that lie in memory, gathered by index: in a new order each epoch if they are shuffled."""

    @functools.lru_cache(maxsize=1)
    def indices(epoch: int) -> np.ndarray:
        return taken(seed, epoch, len(split), shuffle)

    def fetch(epoch: int, place: int) -> Batch:
        chosen = indices(epoch)[place * batch_size : (place + 1) * batch_size]
        return tuple(array[chosen] for array in split.arrays)

    return fetch


def drawn(draw: Callable[[int, tuple[int, ...]], Split], batch_size: int, seed: int) -> Fetch:
    """Batches of samples that are drawn for the purpose: no two are the same."""

    def fetch(epoch: int, place: int) -> Batch:
        return draw(batch_size, (seed, epoch, place)).arrays

    return fetch


def prepared(fetch: Fetch, preprocessing: Preprocessing, augmentation: Augmentation | None, seed: int) -> Fetch:
    """Batches of raw samples, augmented if that is asked for, and then prepared."""

    def fetch_prepared(epoch: int, place: int) -> Batch:
        x, y, *weight = fetch(epoch, place)
        if augmentation:
            x = augmentation(x, (seed, epoch, place))
        return (*preprocessing.pairs(x, y), *weight)

    return fetch_prepared
