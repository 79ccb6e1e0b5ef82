"""A dataset: arrays in two splits, with their provenance. Thin on purpose: it wraps no framework's loader."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from ..errors import DataError
from ..models.recipe import PreprocessingStep
from ..notebook.elements import to_html
from ..notebook.parts import heading, sentences, table
from .columns import Column
from .deferred_array import chunks_of
from .nests import Nest, is_array, map_rows, named_arrays
from .pictures.picture_size import PictureSize
from .series.windows import SeriesWindows
from .split import Split as Split
from .stratification import stratified_split
from .streams.stream import BatchStream

# Kinds of samples: MNIST's, with which a photograph of a digit can be compared; others that are read from files; values
# over time, and over space, that are drawn.
DIGITS, PICTURES, TABLE, SERIES = "digits", "pictures", "table", "series"
CURVES, VOLUMES = "curves", "volumes"

# The share of the samples that is the test split, where a source has none.
TEST_SHARE = 0.2


# The names of the classes, or those of each target.
Labels = tuple[str, ...] | dict[str, tuple[str, ...]]


@dataclass(frozen=True)
class Dataset:
    """Data with a name and a provenance.

    Attributes:
        name: the name or path it was loaded by.
        train, test: the splits; `test` is None where a user's file has no test split.
        validation: the split to validate on, or None for a share of the training split.
        stream: the batches to train on, where they come one after the other; `train` then holds the first of them.
        validation_stream: the batches to validate on, beside a stream.
        labels: the names of the classes; empty where `y` holds values. With several targets, a dictionary by the name
            of the target, without those that hold values.
        guesses_classes: whether the classes are whole numbers that the data do not call classes.
        source: the origin of the arrays, as text.
        draw: draws fresh samples, given their number and a key; None for a fixed dataset.
        kind: what the samples are: `DIGITS`, `PICTURES`, `TABLE`, `SERIES`, `CURVES`, `VOLUMES`, or empty for arrays.
        columns: those of a table, in the order of x; empty for other data.
        targets: the names of the columns of a table that are predicted.
        preparation: the steps that prepare x, for a model that brings none of its own.
        target_preparation: the steps that prepare y, likewise.
        picture_size: the size that pictures were brought to; None where they have it themselves.
        notes: sentences about how the data were read that a user should know.
        series: what the samples are windows of; None unless the kind is `SERIES`.

    Example:
        >>> x, y = np.zeros((10, 4), "float32"), np.zeros(10, "float32")
        >>> data = trivium.Dataset("zeros", trivium.Split(x[:8], y[:8]), trivium.Split(x[8:], y[8:]), (), "an example")
        >>> data.size, len(data.test)
        ('8 samples', 2)
    """

    name: str
    train: Split
    test: Split | None
    labels: Labels
    source: str
    draw: Callable[[int, tuple[int, ...]], Split] | None = None
    kind: str = ""
    columns: tuple[Column, ...] = ()
    validation: Split | None = None
    targets: tuple[str, ...] = ()
    preparation: tuple[PreprocessingStep, ...] = ()
    picture_size: PictureSize | None = None
    notes: tuple[str, ...] = ()
    series: SeriesWindows | None = None
    stream: BatchStream | None = None
    validation_stream: BatchStream | None = None
    guesses_classes: bool = False
    target_preparation: tuple[PreprocessingStep, ...] = ()

    def __repr__(self) -> str:
        test = f", {len(self.test):,} to test on" if self.test else ""
        return f"Dataset {self.name}: {self.size}{test}"

    def _repr_html_(self) -> str:
        splits = {"train": self.train, "validation": self.validation, "test": self.test}
        rows = [
            [part, f"{len(split):,}", name, array.dtype, " × ".join(map(str, array.shape[1:]))]
            for part, split in splits.items()
            if split
            for name, array in (named_arrays(split.x, "x") | named_arrays(split.y, "y")).items()
        ]
        header = ("part", "samples", "array", "dtype", "shape of a sample")
        classes = f"{len(self.labels)} classes" if isinstance(self.labels, tuple) and self.labels else ""
        head = heading(f"Dataset {self.name}", self.size, classes, self.source)
        return to_html(head, table(header, rows, numbers=("samples",)), *sentences(self.notes, "note"))

    @cached_property
    def checksum(self) -> str | None:
        """The SHA-256 over dtypes, shapes and bytes of all arrays: equal data have equal checksums in any file.

        A stream has none.
        """
        if self.stream:
            return None
        digest = hashlib.sha256()
        for split in filter(None, (self.train, self.test, self.validation)):
            arrays = named_arrays(split.x, "x") | named_arrays(split.y, "y")
            for name, array in arrays.items():
                # A single x and y have no name in it, so that the checksums of earlier runs stay what they were.
                digest.update(f"{name if '/' in name else ''}{array.dtype.str}{array.shape}".encode())
                for rows in chunks_of(array):
                    digest.update(np.ascontiguousarray(rows).reshape(-1).view(np.uint8).data)
        return digest.hexdigest()

    def describe(self) -> dict[str, Any]:
        """Return the record of the data that is stored with a run."""
        return {
            "name": self.name,
            "source": self.source,
            "checksum": self.checksum,
            **({"stream": self.stream.kind} if self.stream else {"train": len(self.train)}),
            "test": len(self.test) if self.test else 0,
            **({"validation": len(self.validation)} if self.validation else {}),
            **({"kind": self.kind} if self.kind else {}),
            **({"columns": [column.name for column in self.columns]} if self.columns else {}),
            **({"targets": list(self.targets)} if self.targets else {}),
            **(self.picture_size.to_json() if self.picture_size else {}),
            **({"notes": list(self.notes)} if self.notes else {}),
            **({"series": self.series.describe()} if self.series else {}),
        }

    @property
    def size(self) -> str:
        """The size of the training data, as text."""
        return "a stream of batches" if self.stream else f"{len(self.train):,} samples"

    def require_arrays(self, what: str) -> None:
        """Raise a DataError if the training data are a stream.

        Args:
            what: what needs them as arrays.
        """
        if self.stream:
            raise DataError(
                f"{self.name} is {self.stream.kind}, whose batches come one after the other: {what} needs arrays"
            )

    def named_for(self, outputs: int) -> Dataset:
        """Return the dataset with one label per output of a classifier; a surplus output is called `unused 7`.

        A single output stands for two classes.

        Raises:
            DataError: there are more classes than outputs.
        """
        count = max(2, outputs)
        if not self.labels or isinstance(self.labels, dict) or len(self.labels) == count:
            return self
        if len(self.labels) > count:
            first = ", ".join(self.labels[:3])
            raise DataError(
                f"{self.name} has {len(self.labels)} classes ({first}, …) but the model has {outputs} "
                f"output{'s' * (outputs != 1)}: take one with {len(self.labels)}, or write y as floats if it is a value"
            )
        unused_names = (f"unused {number}" for number in range(len(self.labels), count))
        return replace(self, labels=(*self.labels, *unused_names))

    def as_values(self) -> Dataset:
        """Return the dataset of a single target whose classes are whole numbers, with these numbers as values."""
        numbers = np.array(self.labels, "float64")
        return replace(self.with_targets(lambda y: numbers[y]), labels=(), guesses_classes=False)

    def relabelled(self, labels: Labels) -> Dataset:
        """Return the dataset with its classes renumbered to match `labels`, those of a model trained on other data.

        Labels that are only numbers, 0, 1, …, are assumed to follow the order of a model whose classes have names. A
        model of values takes whole numbers as values.

        Raises:
            DataError: a class is not among `labels`.
        """
        if not labels and self.guesses_classes and isinstance(self.labels, tuple):
            return self.as_values()
        if isinstance(labels, tuple) and isinstance(self.labels, tuple):
            if labels[: len(self.labels)] == self.labels:
                return self
            numbers = self._numbers_in(labels, self.labels)
            return replace(self.with_targets(lambda y: map_rows(numbers.take, y)), labels=labels)
        if isinstance(labels, tuple) or isinstance(self.labels, tuple):
            raise DataError(f"{self.name}: the model has several targets, or the data have: bring the same ones")
        tables = {target: self._numbers_in(labels.get(target, ()), names) for target, names in self.labels.items()}
        renumbered = self.with_targets(
            lambda y: {**y, **{target: map_rows(table.take, y[target]) for target, table in tables.items()}}
        )
        return replace(renumbered, labels=labels)

    def _numbers_in(self, labels: tuple[str, ...], names: tuple[str, ...]) -> np.ndarray:
        """Return the number of each named class among `labels`.

        Raises:
            DataError: a class is not among `labels`.
        """
        are_names = not any(label.lstrip("-").isdecimal() for label in labels)
        if are_names and names == tuple(map(str, range(len(names)))) and len(names) <= len(labels):
            return np.arange(len(names))
        unknown = [name for name in names if name not in labels]
        if unknown:
            raise DataError(
                f"{self.name}: the model knows no class {', '.join(unknown[:5])} (it knows: {', '.join(labels[:20])})"
            )
        return np.array([labels.index(name) for name in names])

    def with_targets(self, change: Callable[[Nest], Nest]) -> Dataset:
        """Return the dataset with the targets of every part changed."""
        return self._with_parts(lambda part: replace(part, y=change(part.y)))

    def with_inputs(self, change: Callable[[Nest], Nest]) -> Dataset:
        """Return the dataset with the inputs of every part changed."""
        return self._with_parts(lambda part: replace(part, x=change(part.x)))

    def _with_parts(self, change: Callable[[Split], Split]) -> Dataset:
        train, test, validation = (part and change(part) for part in (self.train, self.test, self.validation))
        assert train
        return replace(self, train=train, test=test, validation=validation)


def labels_to_json(labels: Labels) -> Any:
    """Return the names as a list; those of several targets as an object of lists."""
    return {name: list(names) for name, names in labels.items()} if isinstance(labels, dict) else list(labels)


def labels_of(labels: Labels, target: str) -> tuple[str, ...]:
    """Return the names of the classes of one of several targets; none where it holds values."""
    return labels.get(target, ()) if isinstance(labels, dict) else ()


def split_evenly(x: Nest, y: Nest, test_share: float = TEST_SHARE) -> tuple[Split, Split | None]:
    """Split samples into a training and a test split, as `split_rows`; rows of deferred arrays are not read."""
    split = Split(x, y)
    train, test = split_rows(y, len(split), test_share)
    return split.select(train), None if test is None else split.select(test)


def split_rows(y: Nest, samples: int, test_share: float = TEST_SHARE) -> tuple[np.ndarray | slice, np.ndarray | None]:
    """Return which samples are training and test data; a fifth are test data, or the given share.

    The samples are shuffled with a fixed seed. Both splits are stratified, so that classes are equally frequent in
    each, if there are samples enough for every class to be in both. Without a share there is no test split.

    Args:
        y: the targets of the samples; several are not stratified by.
        samples: their number.
        test_share: the share of test data.
    """
    if not test_share:
        return slice(0, samples), None
    tested = math.ceil(samples * test_share)
    classes = y if is_array(y) and y.dtype.kind in "iu" and y.ndim == 1 else np.arange(samples)
    counts = np.unique(classes, return_counts=True)[1]
    is_enough = counts.min() >= 2 and len(counts) <= min(tested, samples - tested)
    if is_enough:
        return stratified_split(classes, tested, seed=0)
    from sklearn.model_selection import train_test_split

    train, test = train_test_split(np.arange(samples), test_size=test_share, random_state=0)
    return train, test


def share_of(text: str) -> float:
    """Return the share that a setting such as `test_share=0.3` names.

    Raises:
        DataError: it is not a number of at least 0 and less than 1.
    """
    try:
        share = float(text)
    except ValueError:
        share = math.nan
    if not 0 <= share < 1:
        raise DataError(f"test_share={text}: expected a share of the samples, from 0 to less than 1, such as 0.2")
    return share
