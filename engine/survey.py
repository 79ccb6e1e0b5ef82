"""What data look like before anything is trained on them: shapes, balance, ranges, and what is wrong with them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from . import plots
from .dataset import Dataset, Split

_MOST_IMAGES = 60


def survey(dataset: Dataset) -> dict[str, Any]:
    """Numbers that a person should see before training.

    Returns:
        For each split its `samples`, `shape` and `dtype` of x, `low`, `high`, `mean`, and `classes` (how
        many samples each label has, empty for values); and `duplicates`: how many test samples stand in the training
        split too. Values that are not finite never get this far: reading refuses them.
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
    }


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
        plots.image_grid(x[:_MOST_IMAGES], names, path, title=dataset.name)
    elif x.ndim == 1 or x.shape[1] == 1:
        plots.curve(x.reshape(-1), path, title=dataset.name)
    else:
        plots.scatter(x[:, :2], y, dataset.labels, path, title=dataset.name)


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
