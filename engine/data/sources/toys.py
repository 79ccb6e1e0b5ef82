"""The small sets that scikit-learn brings, as scikit-learn makes them; a fifth of each is the test split."""

from __future__ import annotations

import numpy as np

from ....errors import DataError
from ..dataset import Dataset, split_evenly

_DRAWN = 1_000
_NOISE = 0.1


def load_iris(name: str) -> Dataset:
    """150 flowers: four measures in cm, three species."""
    from sklearn.datasets import load_iris

    found = load_iris()
    return _dataset(name, found.data, found.target, tuple(map(str, found.target_names)))


def load_digits(name: str) -> Dataset:
    """1,797 digits of 8×8 pixels, values 0 to 16."""
    from sklearn.datasets import load_digits

    found = load_digits()
    return _dataset(name, found.images, found.target, tuple("0123456789"))


def load_drawn(name: str, samples: str = str(_DRAWN)) -> Dataset:
    """`moons`, `circles` (two classes, noise 0.1) or `blobs` (three), points in the plane; `moons:300` draws 300.

    Raises:
        DataError: the number of points is none, or less than 10.
    """
    from sklearn import datasets

    if not samples.isdecimal() or int(samples) < 10:
        raise DataError(f"unknown dataset {name!r}: expected a number of points of 10 or more, such as moons:300")
    count = int(samples)
    family = name.partition(":")[0]
    if family == "blobs":
        x, y = datasets.make_blobs(n_samples=count, centers=3, random_state=0)[:2]
    elif family == "moons":
        x, y = datasets.make_moons(n_samples=count, noise=_NOISE, random_state=0)
    else:
        x, y = datasets.make_circles(n_samples=count, noise=_NOISE, factor=0.5, random_state=0)
    return _dataset(name, x, y, tuple(map(str, np.unique(y))))


def _dataset(name: str, x: np.ndarray, y: np.ndarray, labels: tuple[str, ...]) -> Dataset:
    return Dataset(name, *split_evenly(x, y), labels, "scikit-learn")
