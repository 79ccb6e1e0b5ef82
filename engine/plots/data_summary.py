"""What data look like before anything is trained on them: shapes, balance, ranges, and what is wrong with them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ..data.augmentation import Augmentation
from ..data.dataset import Dataset, Split
from . import plots

_MOST_IMAGES = 60
_AUGMENTED = 10
_EPOCHS_SHOWN = 5
# Ranges are compared on this many values at most, by what lies between their outermost hundredths.
_MOST_VALUES = 1_000_000
_OUTERMOST = 0.01
_FEWEST_SAMPLES = 10
# By how much of the wider range an end of it may be elsewhere in the other split.
_LARGEST_SHIFT = 0.4


def survey(dataset: Dataset) -> dict[str, Any]:
    """Numbers that a person should see before training.

    Returns:
        For each split its `samples`, `shape` and `dtype` of x, `low`, `high`, `mean`, and `classes` (how
        many samples each label has, empty for values); `duplicates`: how many test samples stand in the training
        split too. Values that are not finite never get this far: reading refuses them. `warnings` are sentences on
        what is probably a mistake: splits on different scales, classes that one of them lacks.
    """
    splits = {"train": dataset.train, **({"test": dataset.test} if dataset.test else {})}
    return {
        "schema": 1,
        "name": dataset.name,
        "source": dataset.source,
        "checksum": dataset.checksum,
        "labels": list(dataset.labels),
        "splits": {name: _survey_split(split, dataset.labels) for name, split in splits.items()},
        "duplicates": duplicates(dataset.train.x, dataset.test.x) if dataset.test else 0,
        "warnings": warnings(dataset),
    }


def warnings(dataset: Dataset) -> list[str]:
    """What is probably a mistake in the data, a sentence each."""
    found = _class_warnings(dataset)
    if dataset.test is None or len(dataset.test) < _FEWEST_SAMPLES:
        return found
    train, test = _reach(dataset.train.x), _reach(dataset.test.x)
    span = max(train[1] - train[0], test[1] - test[0])
    if max(abs(train[0] - test[0]), abs(train[1] - test[1])) > _LARGEST_SHIFT * span:
        found.append(
            f"The splits are on different scales: most of x_train lies between {train[0]:.3g} and {train[1]:.3g}, of "
            f"x_test between {test[0]:.3g} and {test[1]:.3g}. Give both as they were measured: they are scaled by the "
            "training split's range."
        )
    return found


def _class_warnings(dataset: Dataset) -> list[str]:
    found = []
    for name, split in (("training", dataset.train), ("test", dataset.test)):
        if not split or not dataset.labels:
            continue
        counts = np.bincount(split.y, minlength=len(dataset.labels))
        missing = [label for label, count in zip(dataset.labels, counts, strict=True) if not count]
        if missing:
            more = ", …" if len(missing) > 5 else ""
            found.append(f"The {name} split has no sample of {', '.join(missing[:5])}{more}.")
    return found


def _reach(x: np.ndarray) -> tuple[float, float]:
    """Between which values all but the outermost hundredth at each end lie, from samples spread over the split."""
    every = max(1, x.size // _MOST_VALUES)
    low, high = np.quantile(x[::every], [_OUTERMOST, 1 - _OUTERMOST])
    return float(low), float(high)


def duplicates(train: np.ndarray, test: np.ndarray) -> int:
    """How many test samples are equal to some training sample, value by value; none in a series of single values."""
    if train.ndim == 1:
        return 0
    known = {sample.tobytes() for sample in np.ascontiguousarray(train)}
    return sum(sample.tobytes() in known for sample in np.ascontiguousarray(test.astype(train.dtype)))


def preview(dataset: Dataset, path: Path) -> None:
    """One picture of the data: a grid of images, a curve, or a scatter of the first two columns.

    Raises:
        OutputError: it cannot be written.
    """
    x, y = dataset.train.x, dataset.train.y
    if x.ndim >= 3:
        names = [dataset.labels[int(label)] for label in y[:_MOST_IMAGES]] if dataset.labels else []
        plots.image_grid(_as_pictures(x[:_MOST_IMAGES]), names, path, title=dataset.name)
    elif x.ndim == 1 or x.shape[1] == 1:
        plots.curve(x.reshape(-1), path, title=dataset.name)
    else:
        plots.scatter(x[:, :2], y, dataset.labels, path, title=dataset.name)


def preview_augmented(dataset: Dataset, augmentation: Augmentation, path: Path, seed: int = 0) -> None:
    """Some pictures of the training split, each over what becomes of it in several epochs.

    Raises:
        DataError: the samples are no pictures.
        OutputError: it cannot be written.
    """
    from ...backends.same_run.portable_random import owned_draws

    given = dataset.train.x[:_AUGMENTED]
    with owned_draws():
        epochs = [(f"epoch {n + 1}", augmentation(given, (seed, n))) for n in range(_EPOCHS_SHOWN)]
    rows = [(name, _as_pictures(images)) for name, images in [("given", given), *epochs]]
    plots.beside(rows, path, title=f"{dataset.name}, augmented")


def _as_pictures(x: np.ndarray) -> np.ndarray:
    """Images with their colours, if they have any, on the last axis; of other channels the first is shown."""
    if x.ndim == 3:
        return x
    images = x.reshape(*x.shape[:3], -1)
    if images.shape[1] in (1, 3, 4) and images.shape[3] not in (1, 3, 4):
        images = np.moveaxis(images, 1, 3)
    return images if images.shape[3] in (1, 3, 4) else images[..., :1]


def _survey_split(split: Split, labels: tuple[str, ...]) -> dict[str, Any]:
    counts = np.bincount(split.y, minlength=len(labels)) if labels else np.array([], int)
    return {
        "samples": len(split),
        "shape": list(split.x.shape[1:]),
        "dtype": str(split.x.dtype),
        "low": float(split.x.min()),
        "high": float(split.x.max()),
        "mean": float(split.x.mean()),
        "classes": dict(zip(labels, map(int, counts), strict=True)),
    }
