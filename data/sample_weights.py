"""Sample weights in the loss: per class, per sample, or the product of both.

They apply where `keras.Model.fit` applies them: class weights and sample weights in training, only sample weights in
validation. They affect the loss and a model's `weighted_metrics`, not its other metrics.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..errors import DataError, OptionError
from ..functions import suggest
from .class_counts import count_classes
from .dataset import Dataset, Split
from .deferred_array import DeferredArray
from .nests import is_deferred, map_rows, select
from .split import Weights

BALANCED = "balanced"

# The key is a class by its name, or by its number where the classes are numbers.
ClassWeights = Mapping[Any, float] | str
Draw = Callable[[int, tuple[int, ...]], Split]


@dataclass(frozen=True)
class SampleWeights:
    """The weights that a user set.

    Attributes:
        classes: the weight of each class by its name, `balanced` for weights that make all classes count alike, or
            None. A class that is not named has weight 1.
        samples: (n,) float32, one weight for each sample of the training data, or None.
    """

    classes: Mapping[str, float] | str | None = None
    samples: np.ndarray | None = None

    @classmethod
    def of(cls, classes: ClassWeights | None, samples: Any) -> SampleWeights:
        """Return the weights of a user: `balanced` or a mapping for the classes, a number for each sample.

        Raises:
            OptionError: a weight is not a number, negative or infinite.
        """
        return cls(
            None if classes is None else _parse_class_weights(classes),
            None if samples is None else _parse_sample_weights(samples),
        )

    def describe(self) -> dict[str, Any]:
        """Return the record of the weights that is stored with a run, and compared when the run is resumed."""
        record: dict[str, Any] = {}
        if self.classes is not None:
            record["class_weight"] = self.classes if isinstance(self.classes, str) else dict(self.classes)
        if self.samples is not None:
            record["sample_weight"] = f"sha256:{hashlib.sha256(self.samples.tobytes()).hexdigest()}"
        return record

    def for_training(self, dataset: Dataset, samples: slice | np.ndarray) -> Weights | None:
        """Return the training weights of these samples of the training data; None if all count alike.

        Returns:
            (n,) float32, one for each target: with class weights (n, height, width) for masks, deferred as the masks
            are.

        Raises:
            OptionError: the data have no classes, lack a named class, or have another number of samples.
        """
        sample_weights = self.for_validation(dataset, samples)
        if self.classes is None:
            return sample_weights
        # Labels from a file may be booleans.
        y = map_rows(lambda rows: rows.astype("int64"), select(dataset.train.y, samples))
        of_class: Weights = map_rows(self.class_table(dataset, y).take, y)
        return of_class if sample_weights is None else product(of_class, sample_weights)

    def for_validation(self, dataset: Dataset, samples: slice | np.ndarray) -> np.ndarray | None:
        """Return the validation weights of these samples of the training data, (n,) float32, or None.

        Raises:
            OptionError: the number of weights is not the number of samples.
        """
        if self.samples is None:
            return None
        if len(self.samples) != len(dataset.train):
            raise OptionError(
                f"sample_weight: {dataset.name} has {len(dataset.train)} training samples, received "
                f"{len(self.samples)} weights"
            )
        return self.samples[samples]

    def weighted_draw(self, dataset: Dataset) -> Draw:
        """Return the function that draws fresh samples of the dataset, each with the weight of its class.

        Raises:
            OptionError: there are sample weights, but each drawn sample is new.
        """
        assert dataset.draw
        if self.samples is not None:
            raise OptionError(f"sample_weight: {dataset.name} draws new samples for each batch: use class_weight")
        if self.classes is None:
            return dataset.draw
        draw, class_table = dataset.draw, self.class_table(dataset, dataset.train.y)

        def draw_weighted(count: int, key: tuple[int, ...]) -> Split:
            split = draw(count, key)
            return replace(split, weight=class_table[split.y])

        return draw_weighted

    def class_table(self, dataset: Dataset, y: np.ndarray) -> np.ndarray:
        """Return the weight of each class, (classes,) float32.

        Args:
            dataset: the dataset with these classes.
            y: (n, …) the class numbers of the samples to balance.

        Raises:
            OptionError: the data have no classes, or lack a named class.
        """
        labels = dataset.labels
        if isinstance(labels, dict):
            raise OptionError(f"class_weight: {dataset.name} has several targets: use sample_weight")
        if not labels:
            raise OptionError(f"class_weight: {dataset.name} has no classes: use sample_weight")
        if isinstance(self.classes, str):
            counts = count_classes(y, len(labels))
            return np.asarray(counts.sum() / (np.count_nonzero(counts) * np.maximum(counts, 1)), "float32")
        assert self.classes is not None
        for name in self.classes:
            if name not in labels:
                listed = ", ".join(labels[:20])
                raise OptionError(
                    f"class_weight: {dataset.name} has no class {name} (it has: {listed}){suggest(name, list(labels))}"
                )
        return np.array([self.classes.get(label, 1.0) for label in labels], "float32")


def product(first: Weights, second: Weights) -> Weights:
    """Return the products of two weights of each sample, (n,), or of each of its targets, (n, …).

    Deferred weights are multiplied when they are read.
    """
    rows = _Products(first, second)
    return DeferredArray(rows) if is_deferred((first, second)) else rows[:]


@dataclass(frozen=True)
class _Products:
    """The rows of a product of weights."""

    first: Weights
    second: Weights

    def __len__(self) -> int:
        return len(self.first)

    def __getitem__(self, rows: Any) -> np.ndarray:
        factors = [self.first[rows], self.second[rows]]
        ndim = max(factor.ndim for factor in factors)
        first, second = (factor.reshape(*factor.shape, *[1] * (ndim - factor.ndim)) for factor in factors)
        return np.asarray(first * second)


def require_weight_per_sample(split: Split) -> None:
    """Raise a DataError unless the number of weights is the number of prepared samples."""
    if split.weight is not None and len(split.weight) != len(split):
        raise DataError(
            f"its samples are windows over a series and have no weights ({len(split.weight)} values, "
            f"{len(split)} samples)"
        )


def _parse_class_weights(class_weight: ClassWeights) -> Mapping[str, float] | str:
    if class_weight == BALANCED:
        return BALANCED
    if not isinstance(class_weight, Mapping):
        raise OptionError(f"class_weight {class_weight}: expected {BALANCED}, or a weight for each class by its name")
    return {str(name): _parse_weight(str(name), value) for name, value in class_weight.items()}


def _parse_weight(name: str, value: Any) -> float:
    try:
        weight = float(value)
    except (TypeError, ValueError):
        weight = math.nan
    if not 0 <= weight < math.inf:
        raise OptionError(f"class_weight: the weight of class {name} must be 0 or more, received {value!r}")
    return weight


def _parse_sample_weights(sample_weight: Any) -> np.ndarray:
    try:
        weights = np.ascontiguousarray(sample_weight, "float32")
    except (TypeError, ValueError):
        weights = np.array([math.nan], "float32")
    if weights.ndim != 1 or not np.isfinite(weights).all() or (weights < 0).any():
        raise OptionError("sample_weight must be a number of 0 or more for each sample, (n,)")
    return weights
