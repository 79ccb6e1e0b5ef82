"""A dataset: named arrays in two splits, with their provenance. Thin on purpose: it wraps no framework's loader."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from ...errors import DataError

_TEST_SHARE = 0.2


@dataclass(frozen=True)
class Split:
    """Samples `x` and their targets `y`; the first axis of both counts the samples.

    `weight`, (n,) float32, holds the sample weights in the loss; None means that all samples count alike.
    """

    x: np.ndarray
    y: np.ndarray
    weight: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.x)

    @property
    def arrays(self) -> tuple[np.ndarray, ...]:
        """The arguments of a training step: inputs, targets and, where there are any, sample weights."""
        return (self.x, self.y) if self.weight is None else (self.x, self.y, self.weight)


@dataclass(frozen=True)
class Dataset:
    """Data with a name and a provenance.

    Attributes:
        name: the name or path it was loaded by.
        train, test: the splits; `test` is None where a user's file has no test split.
        labels: the names of the classes; empty where `y` holds values.
        source: the origin of the arrays, as text.
        draw: draws fresh samples, given their number and a key; None for a fixed dataset.
    """

    name: str
    train: Split
    test: Split | None
    labels: tuple[str, ...]
    source: str
    draw: Callable[[int, tuple[int, ...]], Split] | None = None

    @cached_property
    def checksum(self) -> str:
        """The SHA-256 over dtypes, shapes and bytes of all arrays: equal data have equal checksums in any file."""
        digest = hashlib.sha256()
        for split in filter(None, (self.train, self.test)):
            for array in (split.x, split.y):
                digest.update(f"{array.dtype.str}{array.shape}".encode())
                digest.update(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)
        return digest.hexdigest()

    def describe(self) -> dict[str, Any]:
        """Return the record of the data that is stored with a run."""
        return {
            "name": self.name,
            "source": self.source,
            "checksum": self.checksum,
            "train": len(self.train),
            "test": len(self.test) if self.test else 0,
        }

    def named_for(self, outputs: int) -> Dataset:
        """Return the dataset with one label per output of a classifier; a surplus output is called `unused 7`.

        A single output stands for two classes.

        Raises:
            DataError: there are more classes than outputs.
        """
        count = max(2, outputs)
        if not self.labels or len(self.labels) == count:
            return self
        if len(self.labels) > count:
            first = ", ".join(self.labels[:3])
            raise DataError(
                f"{self.name} has {len(self.labels)} classes ({first}, …) but the model has {outputs} "
                f"output{'s' * (outputs != 1)}: take one with {len(self.labels)}, or write y as floats if it is a value"
            )
        unused_names = (f"unused {number}" for number in range(len(self.labels), count))
        return replace(self, labels=(*self.labels, *unused_names))

    def relabelled(self, labels: tuple[str, ...]) -> Dataset:
        """Return the dataset with its classes renumbered to match `labels`, those of a model trained on other data.

        Labels that are only numbers, 0, 1, …, are assumed to follow the order of a model whose classes have names.

        Raises:
            DataError: a class is not among `labels`.
        """
        if labels[: len(self.labels)] == self.labels:
            return self
        are_names = not any(label.lstrip("-").isdecimal() for label in labels)
        if are_names and self.labels == tuple(map(str, range(len(self.labels)))) and len(self.labels) <= len(labels):
            return replace(self, labels=labels)
        unknown = [name for name in self.labels if name not in labels]
        if unknown:
            raise DataError(
                f"{self.name}: the model knows no class {', '.join(unknown[:5])} (it knows: {', '.join(labels[:20])})"
            )
        numbers = np.array([labels.index(name) for name in self.labels])
        test = self.test and replace(self.test, y=numbers[self.test.y])
        return replace(self, train=replace(self.train, y=numbers[self.train.y]), test=test, labels=labels)


def split_evenly(x: np.ndarray, y: np.ndarray) -> tuple[Split, Split]:
    """Split samples into a training and a test split; a fifth goes to the test split.

    The samples are shuffled with a fixed seed. Both splits are stratified: classes are equally frequent in each.
    """
    from sklearn.model_selection import train_test_split

    classes = y if y.dtype.kind in "iu" and np.unique(y, return_counts=True)[1].min() >= 2 else None
    x_train, x_test, y_train, y_test = train_test_split(x, y, test_size=_TEST_SHARE, random_state=0, stratify=classes)
    return Split(x_train, y_train), Split(x_test, y_test)
