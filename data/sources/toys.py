"""Small datasets of scikit-learn, unchanged, and points of the plane drawn with settings of one's own.

A fifth of each is the test split, or the share that `test_share` says.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ...errors import DataError
from ..dataset import TEST_SHARE, Dataset, split_evenly
from . import numbers
from .spirals import spirals

_SAMPLES = 1_000
_LEAST_SAMPLES, _MOST_SAMPLES = 10, 10_000_000
_MOST_CENTRES, _MOST_FEATURES = 1_000, 1_000


def load_iris(name: str, *, test_share: str = str(TEST_SHARE)) -> Dataset:
    """Load 150 flowers of three species, each with four lengths in cm."""
    from sklearn.datasets import load_iris

    bunch = load_iris()
    return _dataset(name, bunch.data, bunch.target, test_share, tuple(map(str, bunch.target_names)))


def load_digits(name: str, *, test_share: str = str(TEST_SHARE)) -> Dataset:
    """Load 1,797 digits of 8×8 pixels, values 0 to 16."""
    from sklearn.datasets import load_digits

    bunch = load_digits()
    return _dataset(name, bunch.images, bunch.target, test_share, tuple("0123456789"))


def load_moons(
    name: str,
    samples: str = str(_SAMPLES),
    *,
    noise: str = "0.1",
    seed: str = "0",
    test_share: str = str(TEST_SHARE),
) -> Dataset:
    """Draw two half circles that reach into each other, a class each: `moons:300:noise=0.2` draws 300 points.

    Args:
        noise: the standard deviation of what is added to each coordinate.
        seed: of the points.

    Raises:
        DataError: a setting is no number, or out of its range; so too of the others below.
    """
    from sklearn.datasets import make_moons

    settings = {"noise": _noise(name, noise), "random_state": numbers.seed(name, seed)}
    x, y = make_moons(_count(name, samples), **settings)
    return _dataset(name, x, y, test_share)


def load_circles(
    name: str,
    samples: str = str(_SAMPLES),
    *,
    noise: str = "0.1",
    factor: str = "0.5",
    seed: str = "0",
    test_share: str = str(TEST_SHARE),
) -> Dataset:
    """Draw a circle within another, a class each.

    Args:
        noise: the standard deviation of what is added to each coordinate.
        factor: the radius of the inner circle; that of the outer one is 1.
        seed: of the points.
    """
    from sklearn.datasets import make_circles

    settings = {"noise": _noise(name, noise), "factor": numbers.real(name, "factor", factor, 0, 0.99)}
    x, y = make_circles(_count(name, samples), random_state=numbers.seed(name, seed), **settings)
    return _dataset(name, x, y, test_share)


def load_blobs(
    name: str,
    samples: str = str(_SAMPLES),
    *,
    centers: str = "3",
    spread: str = "1",
    features: str = "2",
    seed: str = "0",
    test_share: str = str(TEST_SHARE),
) -> Dataset:
    """Draw normally distributed points around centres, a class each: `blobs:700:centers=7:spread=2`.

    Args:
        centers: how many.
        spread: the standard deviation of the points around their centre, for all or for each: `1,2,0.5`.
        features: coordinates of a point.
        seed: of the centres and the points.
    """
    from sklearn.datasets import make_blobs

    count = numbers.whole(name, "centers", centers, 1, _MOST_CENTRES)
    spreads = numbers.reals(name, "spread", spread, 0, float("inf"))
    if len(spreads) not in (1, count):
        raise DataError(f"{name}: spread has {len(spreads)} values: give one, or one for each of the {count} centers")
    x, y = make_blobs(
        _count(name, samples),
        n_features=numbers.whole(name, "features", features, 1, _MOST_FEATURES),
        centers=count,
        cluster_std=spreads if len(spreads) > 1 else spreads[0],
        random_state=numbers.seed(name, seed),
    )
    return _dataset(name, x, y, test_share)


def load_spirals(
    name: str,
    samples: str = str(_SAMPLES),
    *,
    arms: str = "5",
    turns: str = "1",
    noise: str = "0.02",
    seed: str = "0",
    test_share: str = str(TEST_SHARE),
) -> Dataset:
    """Draw the arms of a spiral, a class each: `spirals:1000:arms=5` draws 200 points an arm.

    Args:
        arms: how many.
        turns: how often an arm goes round on its way out to radius 1.
        noise: the standard deviation of what is added to each coordinate.
        seed: of the points.
    """
    count = _count(name, samples)
    x, y = spirals(
        count,
        arms=numbers.whole(name, "arms", arms, 1, count),
        turns=numbers.real(name, "turns", turns, 0, 100),
        noise=_noise(name, noise),
        seed=numbers.seed(name, seed),
    )
    return _dataset(name, x, y, test_share)


LOADERS: dict[str, Callable[..., Dataset]] = {
    "digits": load_digits,
    "iris": load_iris,
    "moons": load_moons,
    "circles": load_circles,
    "blobs": load_blobs,
    "spirals": load_spirals,
}


def _count(name: str, samples: str) -> int:
    return numbers.whole(name, "the number of points", samples, _LEAST_SAMPLES, _MOST_SAMPLES)


def _noise(name: str, text: str) -> float:
    return numbers.real(name, "noise", text, 0, float("inf"))


def _dataset(name: str, x: Any, y: Any, test_share: str, labels: tuple[str, ...] = ()) -> Dataset:
    share = numbers.test_share(name, test_share)
    return Dataset(name, *split_evenly(x, y, share), labels or tuple(map(str, np.unique(y))), "scikit-learn")
