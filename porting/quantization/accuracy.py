"""What quantising loses: the accuracy of each output of classes, and the error of each output of values."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...data.dataset import Labels, labels_of
from ...data.preprocessing.pipeline import Preprocessing
from ...engine.keras_model.class_scores import predicted_classes, to_probabilities
from ...engine.keras_model.loss_names import VALUES
from ...storage.safe_json import finite

ACCURACY, RMS_ERROR = "accuracy", "rms_error"


@dataclass(frozen=True)
class Score:
    """How well an output predicts before and after quantising.

    Attributes:
        output: its name.
        measure: `accuracy` or `rms_error`.
        before, after: the measured values.
        spread: the standard deviation of the targets, for `rms_error`.
    """

    output: str
    measure: str
    before: float
    after: float
    spread: float = 1.0

    @property
    def drop(self) -> float:
        """The loss in percentage points: of accuracy, or of the root-mean-square error by the targets' spread."""
        loss = self.before - self.after if self.measure == ACCURACY else (self.after - self.before) / self.spread
        return 100 * loss

    def to_json(self) -> dict[str, Any]:
        values = {"before": self.before, "after": self.after, "drop": self.drop}
        return {"output": self.output, "measure": self.measure, **finite(values)}


@dataclass(frozen=True)
class OutputReader:
    """What is needed to read an output: its name and its kind, the classes, and the preprocessing of its targets.

    Attributes:
        name: of the output.
        kind: see `loss_names.output_kinds`.
        labels: the names of the classes; empty where there are none.
        preprocessing: of the model.
        threshold: the probability above which the second of two classes is predicted.
    """

    name: str
    kind: str
    labels: tuple[str, ...]
    preprocessing: Preprocessing
    threshold: float | None

    def score(self, before: np.ndarray, after: np.ndarray, targets: np.ndarray | None) -> Score:
        """Compare the outputs before and after quantising with the targets, or with each other."""
        if self._has_classes(targets):
            true = self._classes(before) if targets is None else self._true_classes(before, targets)
            share_before, share_after = (float((self._classes(each) == true).mean()) for each in (before, after))
            return Score(self.name, ACCURACY, share_before, share_after)
        truth = self._values(before if targets is None else targets.reshape(before.shape))
        error_before, error_after = (_rms(self._values(each) - truth) for each in (before, after))
        return Score(self.name, RMS_ERROR, error_before, error_after, float(truth.std()) or 1.0)

    def _has_classes(self, targets: np.ndarray | None) -> bool:
        """Return whether the output has classes: named ones, or targets that are integers or one-hot."""
        if self.labels or self.kind == VALUES or targets is None:
            return bool(self.labels) or self.kind != VALUES
        is_one_hot = targets.ndim > 1 and bool((targets.max(-1) == 1).all() and (targets.sum(-1) == 1).all())
        return targets.dtype.kind != "f" or is_one_hot

    def _classes(self, outputs: np.ndarray) -> np.ndarray:
        return predicted_classes(to_probabilities(outputs.astype("float64"), self.kind), self.threshold)

    def _true_classes(self, outputs: np.ndarray, targets: np.ndarray) -> np.ndarray:
        if targets.shape == outputs.shape and targets.shape[-1] > 1:
            return np.asarray(targets.argmax(-1))
        return np.asarray(targets > 0 if outputs.shape[-1] == 1 else targets).reshape(outputs.shape[:-1])

    def _values(self, values: np.ndarray) -> np.ndarray:
        return np.asarray(self.preprocessing.targets.inverse(values), "float64")


def read_outputs(
    outputs: list[dict[str, Any]], kinds: list[str], labels: Labels, preprocessing: Preprocessing, threshold: Any
) -> list[OutputReader]:
    """Return what reads each output of a model, in order.

    Args:
        outputs: as in `port.json`.
        kinds: what each holds.
    """
    names = [str(output["name"]) for output in outputs]
    classes = [labels_of(labels, name) if isinstance(labels, dict) else labels for name in names]
    return [
        OutputReader(name, kind, each, preprocessing, threshold)
        for name, kind, each in zip(names, kinds, classes, strict=True)
    ]


def _rms(errors: np.ndarray) -> float:
    return math.sqrt(float(np.square(errors).mean()))
