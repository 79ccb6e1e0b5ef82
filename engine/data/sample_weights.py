"""How much each sample counts in the loss: by its class, by itself, or by both multiplied.

Weights go where `keras.Model.fit` puts them: those of classes and of samples into training, those of samples into the
held-out part too. The loss and what a model was compiled with as `weighted_metrics` follow them; its other metrics do
not.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ...errors import DataError, OptionError
from ...functions import suggest
from .dataset import Dataset, Split

BALANCED = "balanced"

# A class by its name, or by its number where classes are numbers.
ClassWeights = Mapping[Any, float] | str
Draw = Callable[[int, tuple[int, ...]], Split]


@dataclass(frozen=True)
class Weights:
    """What was asked for.

    Attributes:
        classes: the weight of each class by its name, `balanced` for weights that make all classes count alike, or
            None. A class without one counts 1.
        samples: (n,) float32, one for each sample of the training data, or None.
    """

    classes: Mapping[str, float] | str | None = None
    samples: np.ndarray | None = None

    @classmethod
    def of(cls, classes: ClassWeights | None, samples: Any) -> Weights:
        """From what a user gives: `balanced`, `0=1,1=5` or a mapping; and any numbers.

        Raises:
            OptionError: what is no weight: not a number, negative, infinite.
        """
        return cls(None if classes is None else _by_name(classes), None if samples is None else _numbers(samples))

    def describe(self) -> dict[str, Any]:
        """What a run keeps of them, and is compared by when it is to go on."""
        found: dict[str, Any] = {}
        if self.classes is not None:
            found["class_weight"] = self.classes if isinstance(self.classes, str) else dict(self.classes)
        if self.samples is not None:
            found["sample_weight"] = f"sha256:{hashlib.sha256(self.samples.tobytes()).hexdigest()}"
        return found

    def in_training(self, dataset: Dataset, samples: slice) -> np.ndarray | None:
        """(n,) float32: the weights of these samples of the training data to learn from, or None where all count alike.

        Raises:
            OptionError: a class that the data do not have, data without classes, or another number of samples.
        """
        own = self.held_out(dataset, samples)
        if self.classes is None:
            return own
        y = dataset.train.y[samples].astype("int64")  # of a file it may be booleans
        of_class = self.table(dataset, y)[y]
        return np.asarray(of_class if own is None else of_class * own)

    def held_out(self, dataset: Dataset, samples: slice) -> np.ndarray | None:
        """(n,) float32: the weights of these samples of the training data to validate on, or None.

        Raises:
            OptionError: there is not one for each sample.
        """
        if self.samples is None:
            return None
        if len(self.samples) != len(dataset.train):
            raise OptionError(
                f"sample_weight: {dataset.name} has {len(dataset.train)} training samples, received "
                f"{len(self.samples)} weights"
            )
        return self.samples[samples]

    def drawing(self, dataset: Dataset) -> Draw:
        """What draws fresh samples of the dataset, each with the weight of its class.

        Raises:
            OptionError: there are weights of samples, which these are not.
        """
        assert dataset.draw
        if self.samples is not None:
            raise OptionError(f"sample_weight: {dataset.name} draws new samples for each batch, weigh their classes")
        if self.classes is None:
            return dataset.draw
        draw, table = dataset.draw, self.table(dataset, dataset.train.y)

        def weighed(count: int, key: tuple[int, ...]) -> Split:
            split = draw(count, key)
            return replace(split, weight=table[split.y])

        return weighed

    def table(self, dataset: Dataset, y: np.ndarray) -> np.ndarray:
        """(classes,) float32: the weight of each class.

        Args:
            dataset: whose classes they are.
            y: (n,) class numbers of the samples that are balanced.

        Raises:
            OptionError: a class that the data do not have, or data without classes.
        """
        labels = dataset.labels
        if not labels:
            raise OptionError(f"class_weight: {dataset.name} has no classes, weigh its samples: sample_weight")
        if isinstance(self.classes, str):
            counts = np.bincount(y, minlength=len(labels))
            return np.asarray(len(y) / (np.count_nonzero(counts) * np.maximum(counts, 1)), "float32")
        assert self.classes is not None
        for name in self.classes:
            if name not in labels:
                listed = ", ".join(labels[:20])
                raise OptionError(
                    f"class_weight: {dataset.name} has no class {name} (it has: {listed}){suggest(name, list(labels))}"
                )
        return np.array([self.classes.get(label, 1.0) for label in labels], "float32")


def require_whole(split: Split) -> None:
    """Raise a DataError unless there is a weight for each prepared sample."""
    if split.weight is not None and len(split.weight) != len(split):
        raise DataError(
            f"its samples are windows over a series and have no weights ({len(split.weight)} values, "
            f"{len(split)} samples)"
        )


def _by_name(given: ClassWeights) -> Mapping[str, float] | str:
    if isinstance(given, str):
        if given == BALANCED:
            return BALANCED
        given = dict(_entry(given, entry) for entry in given.split(","))
    return {str(name): _weight(str(name), value) for name, value in given.items()}


def _entry(text: str, entry: str) -> tuple[str, Any]:
    name, equals, value = entry.strip().rpartition("=")
    if not equals or not name:
        raise OptionError(f"class_weight {text}: expected {BALANCED}, or a weight for each class such as 0=1,1=5")
    return name.strip(), value


def _weight(name: str, value: Any) -> float:
    try:
        found = float(value)
    except (TypeError, ValueError):
        found = math.nan
    if not 0 <= found < math.inf:
        raise OptionError(f"class_weight: the weight of class {name} must be 0 or more, received {value!r}")
    return found


def _numbers(given: Any) -> np.ndarray:
    try:
        found = np.ascontiguousarray(given, "float32")
    except (TypeError, ValueError):
        found = np.array([math.nan], "float32")
    if found.ndim != 1 or not np.isfinite(found).all() or (found < 0).any():
        raise OptionError("sample_weight must be a number of 0 or more for each sample, (n,)")
    return found
