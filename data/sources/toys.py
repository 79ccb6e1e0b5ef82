"""The small datasets of scikit-learn, unchanged; a fifth of each is the test split."""

from __future__ import annotations

import numpy as np

from ...errors import DataError
from ..dataset import Dataset, split_evenly

_SYNTHETIC_SAMPLES = 1_000
_NOISE = 0.1
_MOST_SAMPLES = 10_000_000


def load_iris(name: str) -> Dataset:
    """Load 150 flowers of three species, each with four lengths in cm."""
    from sklearn.datasets import load_iris

    bunch = load_iris()
    return _dataset(name, bunch.data, bunch.target, tuple(map(str, bunch.target_names)))


def load_digits(name: str) -> Dataset:
    """Load 1,797 digits of 8×8 pixels, values 0 to 16."""
    from sklearn.datasets import load_digits

    bunch = load_digits()
    return _dataset(name, bunch.images, bunch.target, tuple("0123456789"))


def load_synthetic(name: str, samples: str = str(_SYNTHETIC_SAMPLES)) -> Dataset:
    """Draw points in the plane: `moons` or `circles` (two classes, noise 0.1), or `blobs` (three).

    `moons:300` draws 300 points.

    Raises:
        DataError: the number of points is not an integer of 10 or more.
    """
    from sklearn import datasets

    if not samples.isdecimal() or int(samples) < 10:
        raise DataError(f"unknown dataset {name!r}: expected a number of points of 10 or more, such as moons:300")
    count = int(samples)
    if count > _MOST_SAMPLES:
        raise DataError(f"unknown dataset {name!r}: expected at most {_MOST_SAMPLES:,} points")
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
