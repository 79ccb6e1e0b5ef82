"""Which pictures of a dataset are shown: at random, ten of each class, or those that look odd."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ...data.dataset import Dataset
from ...data.nests import is_array
from ...errors import DataError

RANDOM, OF_EACH_CLASS, BORDER, NOISY = "random", "classes", "border", "noisy"
_MOST = 60
_OF_A_CLASS = 10
# Pictures that are looked at for odd ones at a time.
_PART = 4096
# Ink, 0 to 1, that is not seen; the pixels of a speck, at most.
_FAINT, _SPECK = 0.2, 6


@dataclass(frozen=True)
class PictureChoice:
    """Pictures to show.

    Attributes:
        title: what they are.
        rows: their indices, by the name of the row; a single row without a name where they have none.
        captions: of each index: the number of the sample and its label.
    """

    title: str
    rows: dict[str, list[int]]
    captions: dict[int, str]


def choose(dataset: Dataset, how: str, seed: int = 0) -> PictureChoice:
    """Choose pictures of the training split.

    Args:
        how: `random`; `classes`, ten of each class at random; `border`, those with the most ink on their border, which
            may be cropped; `noisy`, those of whose ink the most is in specks.
        seed: of the random choices.

    Raises:
        DataError: the samples are no pictures, or have no classes.
    """
    x, y, labels = dataset.train.x, dataset.train.y, dataset.labels
    if not is_array(x) or x.ndim < 3:
        raise DataError(f"{dataset.name} has no pictures to choose from")
    has_classes = isinstance(labels, tuple) and bool(labels) and is_array(y) and y.ndim == 1
    generator = np.random.default_rng(seed)
    if how == OF_EACH_CLASS:
        if not has_classes:
            raise DataError(f"{dataset.name} has no classes: choose its pictures in another way")
        assert isinstance(labels, tuple)
        members = {str(label): np.flatnonzero(np.asarray(y[:]) == number) for number, label in enumerate(labels)}
        rows = {name: _some(generator, numbers, _OF_A_CLASS) for name, numbers in members.items() if len(numbers)}
        title = "examples of each class"
    elif how == RANDOM:
        rows, title = {"": _some(generator, np.arange(len(x)), _MOST)}, "samples at random"
    else:
        measure, title = _MEASURES[how]
        oddness = np.concatenate(
            [measure(_ink(np.asarray(x[start : start + _PART]))) for start in range(0, len(x), _PART)]
        )
        rows = {"": np.argsort(-oddness, kind="stable")[:_MOST].tolist()}
    numbers = [number for row in rows.values() for number in row]
    names = [str(label) for label in labels] if has_classes else []
    captions = {number: f"{number}: {names[int(y[number])]}" if names else str(number) for number in numbers}
    return PictureChoice(title, rows, captions)


def _some(generator: np.random.Generator, numbers: np.ndarray, most: int) -> list[int]:
    chosen = generator.choice(numbers, min(most, len(numbers)), replace=False)
    return [int(number) for number in chosen]


def _ink(pictures: np.ndarray) -> np.ndarray:
    """Return the ink of pictures (n, height, width) from 0 to 1, where most pixels are paper; colours are averaged."""
    values: np.ndarray = pictures.astype("float32")
    if values.ndim > 3:
        values = values.mean(axis=1 if values.shape[1] < values.shape[-1] else -1)
    low, high = values.min(), values.max()
    values = (values - low) / max(high - low, np.finfo("float32").tiny)
    return 1 - values if np.median(values) > 0.5 else values


def _ink_on_the_border(ink: np.ndarray) -> np.ndarray:
    """Return the mean ink of the pixels on the border of each picture, (n,)."""
    edges = [ink[:, 0], ink[:, -1], ink[:, 1:-1, 0], ink[:, 1:-1, -1]]
    ink_of_each: np.ndarray = np.concatenate(edges, axis=1).mean(axis=1)
    return ink_of_each


def _ink_in_specks(ink: np.ndarray) -> np.ndarray:
    """Return the share of each picture's ink in specks of a few connected pixels, (n,)."""
    from scipy.ndimage import label

    in_the_plane = np.zeros((3, 3, 3), int)
    in_the_plane[1] = 1
    pieces, count = label(ink > _FAINT, in_the_plane)
    is_speck = np.bincount(pieces.ravel(), minlength=count + 1) <= _SPECK
    is_speck[0] = False  # the paper
    in_specks: np.ndarray = (ink * is_speck[pieces]).sum((1, 2))
    in_specks /= np.maximum(ink.sum((1, 2)), np.finfo("float32").tiny)
    return in_specks


_MEASURES: dict[str, tuple[Callable[[np.ndarray], np.ndarray], str]] = {
    BORDER: (_ink_on_the_border, "the most ink on the border"),
    NOISY: (_ink_in_specks, "the most ink in specks"),
}
CHOICES = (RANDOM, OF_EACH_CLASS, *_MEASURES)
