"""Arrays with a name, two splits, and where they came from. Thin on purpose: no framework loader."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

_TEST_SHARE = 0.2


@dataclass(frozen=True)
class Split:
    """Samples `x` and what is to be said of them, `y`; the first axis of both counts the samples."""

    x: np.ndarray
    y: np.ndarray

    def __len__(self) -> int:
        return len(self.x)


@dataclass(frozen=True)
class Dataset:
    """Data with a name and a provenance.

    Attributes:
        name: what it was asked for as.
        train, test: the splits; `test` may be missing in a user's own file.
        labels: the names of the classes, empty where `y` is no class.
        source: where the arrays came from, in words.
    """

    name: str
    train: Split
    test: Split | None
    labels: tuple[str, ...]
    source: str

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


def split_evenly(x: np.ndarray, y: np.ndarray) -> tuple[Split, Split]:
    """Training and test split of samples that come without one: a fifth is for testing.

    Shuffled with a fixed seed; classes are equally frequent in both, as far as they divide.
    """
    from sklearn.model_selection import train_test_split

    classes = y if y.dtype.kind in "iu" and np.bincount(y).min() >= 2 else None
    x_train, x_test, y_train, y_test = train_test_split(x, y, test_size=_TEST_SHARE, random_state=0, stratify=classes)
    return Split(x_train, y_train), Split(x_test, y_test)
