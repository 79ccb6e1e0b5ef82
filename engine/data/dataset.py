"""Arrays with a name, two splits, and where they came from. Thin on purpose: no framework loader."""

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
    """Samples `x` and what is to be said of them, `y`; the first axis of both counts the samples.

    `weight`, (n,) float32, is how much each counts in the loss; None where all count alike.
    """

    x: np.ndarray
    y: np.ndarray
    weight: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.x)

    @property
    def arrays(self) -> tuple[np.ndarray, ...]:
        """What a training step is given: inputs, targets and, where samples count differently, weights."""
        return (self.x, self.y) if self.weight is None else (self.x, self.y, self.weight)


@dataclass(frozen=True)
class Dataset:
    """Data with a name and a provenance.

    Attributes:
        name: what it was asked for as.
        train, test: the splits; `test` may be missing in a user's own file.
        labels: the names of the classes, empty where `y` is no class.
        source: where the arrays came from, in words.
        draw: draws fresh samples: how many, under which key; None where the data are what they are.
    """

    name: str
    train: Split
    test: Split | None
    labels: tuple[str, ...]
    source: str
    draw: Callable[[int, tuple[int, ...]], Split] | None = None

    @cached_property
    def checksum(self) -> str:
        """SHA-256 over dtypes, shapes and bytes of all arrays: equal data, equal checksum, whatever file it was in."""
        digest = hashlib.sha256()
        for split in filter(None, (self.train, self.test)):
            for array in (split.x, split.y):
                digest.update(f"{array.dtype.str}{array.shape}".encode())
                digest.update(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)
        return digest.hexdigest()

    def describe(self) -> dict[str, Any]:
        """What a run keeps of its data."""
        return {
            "name": self.name,
            "source": self.source,
            "checksum": self.checksum,
            "train": len(self.train),
            "test": len(self.test) if self.test else 0,
        }

    def named_for(self, outputs: int) -> Dataset:
        """These data with a name for each of a classifier's outputs: one that no label counts is called `unused 7`.

        A single output tells two classes apart.

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
        unused = (f"unused {number}" for number in range(len(self.labels), count))
        return replace(self, labels=(*self.labels, *unused))

    def relabelled(self, labels: tuple[str, ...]) -> Dataset:
        """These data with their classes numbered as `labels` are: as a model does that was trained on other data.

        Classes that are only numbered, 0, 1, …, are taken to be numbered as those of a model whose classes have names.

        Raises:
            DataError: a class that is not among them.
        """
        if labels[: len(self.labels)] == self.labels:
            return self
        named = not any(label.lstrip("-").isdecimal() for label in labels)
        if named and self.labels == tuple(map(str, range(len(self.labels)))) and len(self.labels) <= len(labels):
            return replace(self, labels=labels)
        strange = [name for name in self.labels if name not in labels]
        if strange:
            raise DataError(
                f"{self.name}: the model knows no class {', '.join(strange[:5])} (it knows: {', '.join(labels[:20])})"
            )
        numbers = np.array([labels.index(name) for name in self.labels])
        test = self.test and replace(self.test, y=numbers[self.test.y])
        return replace(self, train=replace(self.train, y=numbers[self.train.y]), test=test, labels=labels)


def split_evenly(x: np.ndarray, y: np.ndarray) -> tuple[Split, Split]:
    """Training and test split of samples that come without one: a fifth is for testing.

    Shuffled with a fixed seed; classes are equally frequent in both, as far as they divide.
    """
    from sklearn.model_selection import train_test_split

    classes = y if y.dtype.kind in "iu" and np.unique(y, return_counts=True)[1].min() >= 2 else None
    x_train, x_test, y_train, y_test = train_test_split(x, y, test_size=_TEST_SHARE, random_state=0, stratify=classes)
    return Split(x_train, y_train), Split(x_test, y_test)
