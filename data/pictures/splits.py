"""Training and test split of pictures: parts of one array, so that no picture is in memory twice."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...errors import DataError
from ..dataset import PICTURES, Dataset, Split, split_evenly
from .picture_settings import PictureSettings

_FEWEST = 2


@dataclass(frozen=True)
class ReadingOrder:
    """The order in which pictures are read: those of the training split first.

    Attributes:
        numbers: (n,) of the pictures.
        trained: how many of them are the training split.
    """

    numbers: np.ndarray
    trained: int

    @classmethod
    def of(cls, where: Path, y: np.ndarray, test_share: float) -> ReadingOrder:
        """Return the order of pictures with these targets, (n, …); the splits are stratified by class, if y is (n,).

        Raises:
            DataError: there are fewer than two pictures.
        """
        if len(y) < _FEWEST:
            raise DataError(f"{where}: expected {_FEWEST} pictures or more, received {len(y)}")
        train, test = split_evenly(np.arange(len(y)), y, test_share)
        return cls(np.concatenate([train.x, test.x]) if test else train.x, len(train))

    def without(self, broken: Iterable[int]) -> ReadingOrder:
        """Return the order without some places in it."""
        places = sorted(broken)
        return ReadingOrder(
            np.delete(self.numbers, places), self.trained - sum(place < self.trained for place in places)
        )


def picture_dataset(
    where: Path,
    whole: Split,
    order: ReadingOrder,
    labels: tuple[str, ...],
    settings: PictureSettings,
    notes: tuple[str, ...],
) -> Dataset:
    """Return the dataset of pictures that were read in an order.

    Raises:
        DataError: none is left to train on.
    """
    if not order.trained:
        raise DataError(f"{where}: no picture is left to train on")
    train, test = whole.select(slice(0, order.trained)), whole.select(slice(order.trained, None))
    return Dataset(
        str(where),
        train,
        test if len(test) else None,
        labels,
        str(where),
        kind=PICTURES,
        picture_size=settings.size,
        notes=notes,
    )
