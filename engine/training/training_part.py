"""What a model of a series says of the part that it was trained on: beside the test part it shows what was learnt."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ...data.dataset import Dataset, Split
from ...data.nests import is_array
from ..keras_model.inference import outputs_of
from ..keras_model.interface import match_inputs
from ..prediction.evaluation import to_data_terms, values_rms_errors
from .hold_out import HoldOut

if TYPE_CHECKING:
    from ..runs.run import Run

# Windows, or values of a wave, of a training part that are predicted.
_MOST_SAMPLES = 20_000


@dataclass(frozen=True)
class TrainingPart:
    """The predictions of the training part of a series.

    Attributes:
        samples: (m,) the samples of the training split that they are of: windows, or values of a wave.
        total: how many samples were trained on.
        y: (m, …) their raw targets.
        predicted: (k, …) on the scale of the raw data, of the last k ≤ m samples.
        errors: `rms_error`, or one for each target of a series, on the scale of the raw data.
    """

    samples: np.ndarray
    total: int
    y: np.ndarray
    predicted: np.ndarray
    errors: dict[str, float]

    @property
    def title(self) -> str:
        """What a picture of it is called."""
        return "training part" + (f", {self.amount}" if self.amount else "")

    @property
    def amount(self) -> str:
        """How much of the training part was predicted; empty for all of it."""
        return f"first {len(self.samples):,} of {self.total:,} samples" if len(self.samples) < self.total else ""


def predict_training_part(run: Run, held_out: HoldOut) -> TrainingPart | None:
    """Predict the samples that a run was trained on, or the first ones of many; None unless they are of a series.

    Args:
        run: finished.
        held_out: which samples it was validated on.
    """
    data = run.dataset
    if not _is_series(data):
        return None
    chosen = slice(None) if data.validation else held_out.parts(data)[0]
    trained = np.arange(len(data.train))[chosen]
    samples = trained[:_MOST_SAMPLES]
    raw = data.train.select(slice(int(samples[0]), int(samples[-1]) + 1) if data.series is None else samples)
    prepared = Split(*run.preprocessing.pairs(raw.x, raw.y))
    outputs = outputs_of(run.model, match_inputs(run.model, prepared.x))
    if not is_array(outputs) or not is_array(prepared.y) or outputs.size != prepared.y.size:
        return None  # of written losses, which may compare anything with anything
    predicted = to_data_terms(run.preprocessing, outputs, ())
    errors = values_rms_errors(run.preprocessing, outputs, prepared.y, data.series)
    return TrainingPart(samples, len(trained), raw.y, predicted, errors)


def _is_series(data: Dataset) -> bool:
    """Return whether the data are windows of a series in memory, or a wave: values one after the other."""
    x, y = data.train.x, data.train.y
    if data.stream or data.labels or data.test is None or not (is_array(x) and is_array(y)) or data.train.is_deferred:
        return False
    return data.series is not None or (x.ndim == 1 and y.ndim == 1 and y.dtype.kind == "f")
