"""Training data in batches, in trivium's own order: the same on every backend.

A batch depends on its epoch and its place in the epoch, and not on earlier requests. So any epoch can be repeated, or
be the first one.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from ...backends.same_run.randomness import portable_permutation
from ...data.augmentation import Augmentation
from ...data.dataset import Split
from ...data.nests import Nest
from ...data.preprocessing.pipeline import Preprocessing
from .prefetch import Prefetcher

# Inputs and targets, or raw samples and labels; then sample weights, if there are any.
Batch = tuple[Nest, ...]
# Why data that are larger than memory are trained by `fit`.
DEFERRED = "the data are read from their files for each batch"
# (epoch, place) → batch
BatchFetcher = Callable[[int, int], Batch]


class TrainingBatches(keras.utils.PyDataset):
    """The batches of one epoch after the other, for `keras.Model.fit`.

    Args:
        fetch: returns the prepared batch at a place in an epoch.
        steps: batches per epoch.
        why: why the batches are fetched one by one, for the record of the run.
        ahead: fetch the next batches in another thread, which `close` ends.
        raw_batches: those that `fetch` prepares, if they are read in another thread, which `close` ends too.
        samples: in all batches of an epoch, each of which has as many but the last one; None if nobody knows.

    Attributes:
        fetch: the argument.
        samples: the argument.
        epoch: the current epoch, counted from 0. `FollowEpoch` sets it, because Keras calls `on_epoch_end` also after
            it has peeked at the first batch.
        error: what the fetching of a batch has raised. TensorFlow asks for batches in a thread of its own, and wraps
            errors into its own.
    """

    def __init__(
        self,
        fetch: BatchFetcher,
        steps: int,
        why: str = "the data are drawn anew for each batch",
        ahead: bool = False,
        raw_batches: Prefetcher[Batch] | None = None,
        samples: int | None = None,
    ):
        super().__init__()
        self.samples = samples
        self.epoch = 0
        self.why = why
        self.error: Exception | None = None
        self.fetch = Prefetcher(fetch, steps) if ahead else fetch
        self._steps = steps
        self._raw_batches = raw_batches

    def __len__(self) -> int:
        return self._steps

    def __getitem__(self, place: int) -> Batch:
        try:
            return self.fetch(self.epoch, place)
        except Exception as error:
            self.error = error
            raise

    def close(self) -> None:
        """End the threads that fetch batches, if there are any."""
        for prefetcher in (self.fetch, self._raw_batches):
            if isinstance(prefetcher, Prefetcher):
                prefetcher.close()


class FollowEpoch(keras.callbacks.Callback):
    """Set the current epoch of the batches."""

    def __init__(self, batches: TrainingBatches):
        super().__init__()
        self._batches = batches

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self._batches.epoch = epoch


@dataclass(frozen=True)
class Schedule:
    """The epochs of a run, its batch size, and the order of its samples.

    Attributes:
        batch_size: samples per step; the last step of an epoch may have fewer.
        epochs: in the whole run, those before `first_epoch` included.
        seed: of the order.
        shuffle: whether each epoch has a new order; else the samples keep the order of the data.
        first_epoch: the epoch to begin with, counted from 0; earlier ones were trained before.
    """

    batch_size: int
    epochs: int
    seed: int
    shuffle: bool
    first_epoch: int = 0

    def order(self, epoch: int, samples: int) -> np.ndarray:
        """Return the sample order of an epoch: (samples,) integers."""
        return sample_order(self.seed, epoch, samples, self.shuffle)

    def steps(self, data: Split | TrainingBatches) -> int:
        """Return the number of steps that remain to be trained."""
        epoch_steps = steps_per_epoch(len(data), self.batch_size) if isinstance(data, Split) else len(data)
        return max(0, self.epochs - self.first_epoch) * epoch_steps


def sample_order(seed: int, epoch: int, samples: int, shuffle: bool) -> np.ndarray:
    """Return the sample order of an epoch: (samples,) integers."""
    return portable_permutation(seed, epoch, samples) if shuffle else np.arange(samples)


def steps_per_epoch(samples: int, batch_size: int) -> int:
    """Return the batches per epoch; the last one may be smaller."""
    return math.ceil(samples / batch_size)


def from_memory(split: Split, batch_size: int, seed: int, shuffle: bool, steps: int | None = None) -> BatchFetcher:
    """Return a function that fetches batches of samples in memory, in the sample order of the epoch.

    Args:
        steps: full batches per epoch; None for each sample once. The samples go on where the last epoch stopped, one
            pass after the other, each in the order that an epoch of that number would have.
    """
    samples = len(split)

    @functools.lru_cache(maxsize=2)
    def indices(epoch: int) -> np.ndarray:
        return sample_order(seed, epoch, samples, shuffle)

    def fetch(epoch: int, place: int) -> Batch:
        rows = indices(epoch)[place * batch_size : (place + 1) * batch_size]
        return split.take(rows).arrays

    def fetch_further(epoch: int, place: int) -> Batch:
        assert steps
        passes, places = np.divmod((epoch * steps + place) * batch_size + np.arange(batch_size), samples)
        rows = [indices(each)[places[passes == each]] for each in range(passes[0], passes[-1] + 1)]
        return split.take(np.concatenate(rows)).arrays

    return fetch_further if steps else fetch


def batches_of(split: Split, batch_size: int, seed: int = 0, shuffle: bool = False) -> TrainingBatches:
    """Return the batches of a split; those of deferred arrays are read ahead in another thread."""
    fetch, steps = from_memory(split, batch_size, seed, shuffle), steps_per_epoch(len(split), batch_size)
    return TrainingBatches(fetch, steps, DEFERRED, ahead=split.is_deferred)


def from_generator(draw: Callable[[int, tuple[int, ...]], Split], batch_size: int, seed: int) -> BatchFetcher:
    """Return a function that fetches batches of newly generated samples: no two batches are the same."""

    def fetch(epoch: int, place: int) -> Batch:
        return draw(batch_size, (seed, epoch, place)).arrays

    return fetch


def with_preprocessing(
    fetch: BatchFetcher, preprocessing: Preprocessing, augmentation: Augmentation | None, seed: int
) -> BatchFetcher:
    """Return a function that fetches batches of raw samples, augments them if asked to, and prepares them."""

    def fetch_prepared(epoch: int, place: int) -> Batch:
        x, y, *weight = fetch(epoch, place)
        if augmentation:
            x = augmentation(x, (seed, epoch, place))
        return (*preprocessing.pairs(x, y), *weight)

    return fetch_prepared


def in_floatx(batch: Batch) -> Batch:
    """Return a batch with its floats in Keras' own dtype, so that no backend casts them in its own way."""

    def cast(array: np.ndarray) -> np.ndarray:
        return array.astype(keras.config.floatx(), copy=False) if array.dtype.kind == "f" else array

    return tuple(keras.tree.map_structure(cast, part) for part in batch)
