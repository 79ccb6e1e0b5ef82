"""Summarise a dataset before training: shapes, class balance, value ranges, and probable mistakes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ...data.augmentation import Augmentation
from ...data.class_counts import count_classes
from ...data.dataset import CURVES, Dataset, Labels, Split, labels_of, labels_to_json
from ...data.duplicates import count_duplicates
from ...data.likely_mistakes import likely_mistakes
from ...data.nests import is_array, named_arrays, take
from ...data.preprocessing import reductions
from ...errors import DataError
from . import plots, series_plots
from .column_summary import summarize_columns
from .images import to_images
from .masks import masks
from .picture_choice import OF_EACH_CLASS, choose
from .series_summary import summarize_series

_MOST_IMAGES = 60
_MOST_CURVES = 30
_MOST_MASKS = 10
_MOST_AUGMENTED = 10
_MOST_READ = 10_000  # samples of data that are read from their files
_EPOCHS_SHOWN = 5
# Value ranges are compared by quantiles, without the outermost hundredth at each end, on at most this many values.
_MOST_VALUES = 1_000_000
_TAIL = 0.01
_FEWEST_SAMPLES = 10
# The ends of two ranges may differ by this fraction of the wider range.
_LARGEST_SHIFT = 0.4


def summarize(dataset: Dataset) -> dict[str, Any]:
    """Return the numbers that a person should see before training.

    Values that are not finite do not occur here: reading a dataset refuses them.

    Returns:
        For each split its `samples`, the `shape` and `dtype` of x, `low`, `high`, `mean`, and `classes` (the number of
        samples of each label, or of pixels where a target is a mask of the shape `target_shape`; empty for
        regression); with several inputs or targets instead `arrays`, which has these entries for each; `duplicates`:
        the number of test samples that are also in the training split; `warnings`: a sentence for each probable
        mistake, such as splits on different scales, or classes that a part lacks; `series`: what `summarize_series`
        returns, for windows of series.
    """
    dataset.require_arrays("a summary")
    splits = {"train": dataset.train, **({"test": dataset.test} if dataset.test else {})}
    return {
        "schema": 1,
        "name": dataset.name,
        "source": dataset.source,
        "checksum": dataset.checksum,
        "labels": labels_to_json(dataset.labels),
        **({"columns": summarize_columns(dataset)} if dataset.columns else {}),
        "notes": list(dataset.notes),
        "splits": {name: _summarize_split(split, dataset.labels) for name, split in splits.items()},
        "duplicates": count_duplicates(dataset),
        "warnings": warnings(dataset),
        **({"series": summarize_series(dataset.series)} if dataset.series else {}),
    }


def warnings(dataset: Dataset) -> list[str]:
    """Return a sentence for each probable mistake in the data."""
    return [*likely_mistakes(dataset), *_different_scales(dataset)]


def _different_scales(dataset: Dataset) -> Iterator[str]:
    """Yield a sentence if most values of the splits lie elsewhere; those of a series at later times may well."""
    if dataset.series or dataset.test is None or len(dataset.test) < _FEWEST_SAMPLES or not is_array(dataset.train.x):
        return
    train, test = _value_range(dataset.train.x), _value_range(dataset.test.x)
    span = max(train[1] - train[0], test[1] - test[0])
    if max(abs(train[0] - test[0]), abs(train[1] - test[1])) > _LARGEST_SHIFT * span:
        yield (
            f"The splits are on different scales: most of x_train lies between {train[0]:.3g} and {train[1]:.3g}, of "
            f"x_test between {test[0]:.3g} and {test[1]:.3g}. Give both as they were measured: they are scaled by the "
            "training split's range."
        )


def _value_range(x: np.ndarray) -> tuple[float, float]:
    """Return the range without the outermost hundredth at each end, estimated from evenly spread values."""
    step = max(1, x.size // _MOST_VALUES)
    low, high = np.quantile(x[::step], [_TAIL, 1 - _TAIL])
    return float(low), float(high)


def preview(dataset: Dataset, path: Path) -> None:
    """Plot the data: series by their parts, a grid of images or of curves, pictures above their masks, or rows.

    Of data that stay in their files the first samples are plotted.

    Raises:
        DataError: there are several inputs or targets.
        OutputError: the file cannot be written.
    """
    if dataset.series:
        series_plots.parts(dataset.series, path, title=dataset.name)
        return
    x, y, labels = dataset.train.x, dataset.train.y, dataset.labels
    if not is_array(x) or not is_array(y) or isinstance(labels, dict):
        raise DataError(f"{dataset.name} has several inputs or targets: a preview is of one")
    if dataset.kind == CURVES:
        plots.curve_grid(x[:_MOST_CURVES], _names(labels, y[:_MOST_CURVES]), path, title=dataset.name)
    elif x.ndim >= 3 and labels and y.ndim > 1:
        images = to_images(x[:_MOST_MASKS], dataset.kind)
        masks(images, [("mask", y[:_MOST_MASKS])], labels, path, title=dataset.name)
    elif x.ndim >= 3:
        images = to_images(x[:_MOST_IMAGES], dataset.kind)
        plots.image_grid(images, _names(labels, y[:_MOST_IMAGES]), path, title=dataset.name)
    else:
        _preview_rows(dataset.train.head(_MOST_READ) if dataset.train.is_deferred else dataset.train, dataset, path)


def _names(labels: tuple[str, ...], y: np.ndarray) -> list[str]:
    """Return the name of each class number; none where there are no classes."""
    return [labels[int(label)] for label in y] if labels else []


def _preview_rows(rows: Split, dataset: Dataset, path: Path) -> None:
    """Plot rows of numbers: a single one as a curve, the first two of several as a scatter plot."""
    assert isinstance(dataset.labels, tuple)
    if rows.x.ndim == 1 or rows.x.shape[1] == 1:
        plots.curve(rows.x.reshape(-1), path, title=dataset.name)
    else:
        plots.scatter(rows.x[:, :2], rows.y, dataset.labels, path, title=dataset.name)


def preview_chosen(dataset: Dataset, how: str, path: Path, seed: int = 0) -> None:
    """Plot training pictures that `choose` chooses, with their numbers, or a row for each class.

    Raises:
        DataError: the samples are no pictures, or have no classes.
        OutputError: the file cannot be written.
    """
    chosen = choose(dataset, how, seed)
    rows = {
        name: to_images(np.asarray(dataset.train.x[numbers]), dataset.kind) for name, numbers in chosen.rows.items()
    }
    title = f"{dataset.name}: {chosen.title}"
    if how == OF_EACH_CLASS:
        plots.beside(list(rows.items()), path, title=title)
    else:
        plots.image_grid(rows[""], [chosen.captions[number] for number in chosen.rows[""]], path, title=title)


def preview_one_augmented(dataset: Dataset, number: int, augmentation: Augmentation, path: Path, seed: int = 0) -> None:
    """Plot what training sees of one training picture in many epochs.

    Raises:
        DataError: the samples are no pictures, or there is none of this number.
        OutputError: the file cannot be written.
    """
    augmentation.require_classes_of_pictures(dataset)
    x = dataset.train.x
    if not is_array(x) or not 0 <= number < len(x):
        raise DataError(
            f"{dataset.name} has no training picture {number}: choose one from 0 to {len(dataset.train) - 1}"
        )
    copies = np.repeat(np.asarray(x[number : number + 1]), _MOST_IMAGES, axis=0)
    changed = to_images(augmentation(copies, (seed,)), dataset.kind)
    plots.image_grid(changed, [], path, title=f"{dataset.name}, picture {number}, augmented")


def preview_augmented(dataset: Dataset, augmentation: Augmentation, path: Path, seed: int = 0) -> None:
    """Plot some training images, each above its augmented versions in several epochs.

    Raises:
        DataError: the samples are no images.
        OutputError: the file cannot be written.
    """
    from ...backends.same_run.portable_random import portable_draws

    if dataset.series:
        raise DataError(f"{dataset.name} is a series: augmentation changes pictures")
    augmentation.require_classes_of_pictures(dataset)
    originals = take(dataset.train.x, slice(0, _MOST_AUGMENTED))
    with portable_draws():
        epochs = [(f"epoch {n + 1}", augmentation(originals, (seed, n))) for n in range(_EPOCHS_SHOWN)]
    rows = [(name, to_images(images, dataset.kind)) for name, images in [("given", originals), *epochs]]
    plots.beside(rows, path, title=f"{dataset.name}, augmented")


def _summarize_split(split: Split, labels: Labels) -> dict[str, Any]:
    if is_array(split.x) and is_array(split.y):
        assert isinstance(labels, tuple)
        positions = {"target_shape": list(split.y.shape[1:])} if labels and split.y.ndim > 1 else {}
        classes = _class_counts(split.y, labels)
        return {"samples": len(split), **_summarize_array(split.x), **positions, "classes": classes}
    inputs = {name.removeprefix("x/"): array for name, array in named_arrays(split.x, "x").items()}
    targets = {name.removeprefix("y/"): array for name, array in named_arrays(split.y, "y").items()}
    arrays = {name: _summarize_array(array) for name, array in (inputs | targets).items()}
    for name, array in targets.items():
        arrays[name]["classes"] = _class_counts(array, labels_of(labels, name))
    return {"samples": len(split), "arrays": arrays}


def _summarize_array(array: Any) -> dict[str, Any]:
    low, high, mean = reductions.describe(array)
    return {"shape": list(array.shape[1:]), "dtype": str(array.dtype), "low": low, "high": high, "mean": mean}


def _class_counts(y: np.ndarray, labels: tuple[str, ...]) -> dict[str, int]:
    counts = count_classes(y, len(labels)) if labels else np.array([], int)
    return dict(zip(labels, map(int, counts), strict=True))
