"""Evaluate a trained model, and predict new data."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ...backends import catalog, runtime
from ...backends.same_run.crossentropy import losses_from_logits
from ...errors import DataError
from ..bundles import bundle as bundles
from ..bundles.bundle import Bundle
from ..data import datasets
from ..data.dataset import Dataset, Split
from ..data.sources.files import require_numbers
from ..keras_model.inference import (
    accepts_shape,
    fixed_batch,
    outputs_of,
    probabilities,
    require_full_batches,
    reset_states,
)
from ..preprocessing.pipeline import Preprocessing

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True)
class Predictions:
    """A model's predictions.

    Attributes:
        outputs: (n, …) float outputs of the model: class probabilities, or preprocessed values.
        values: class numbers, or values on the scale of the raw data.
        labels: the names of the classes; empty for regression.
    """

    outputs: np.ndarray
    values: np.ndarray
    labels: tuple[str, ...]

    def to_json(self) -> list[Any]:
        """Return one entry per sample: the label with its probabilities, or the value."""
        if not self.labels:
            return self.values.tolist()  # type: ignore[no-any-return]
        return [
            {
                "label": self.labels[int(value)],
                "probability": float(row[int(value)]),
                "probabilities": dict(zip(self.labels, map(float, row), strict=True)),
            }
            for value, row in zip(self.values, probabilities(self.outputs), strict=True)
        ]


def predict(source: Bundle | str | Path, x: np.ndarray) -> Predictions:
    """Predict raw inputs with a bundle's model. They are preprocessed as the training data were.

    Args:
        source: a bundle, its file, or the run folder that holds it.
        x: (n, …) inputs, of the shape and dtype of the training data.

    Raises:
        BundleError: the bundle cannot be read.
        DataError: the inputs do not fit the model.
    """
    bundle = bundles.load(source)
    require_numbers(x, "inputs")
    prepared = bundle.preprocessing.inputs(x)
    if not accepts_shape(bundle.model, prepared):
        expected = tuple(bundle.model.inputs[0].shape)[1:]
        raise DataError(f"a prepared sample has shape {prepared.shape[1:]} but the model takes {expected}")
    outputs = outputs_of(bundle.model, prepared)
    return Predictions(outputs, to_data_terms(bundle.preprocessing, outputs, bool(bundle.labels)), bundle.labels)


def evaluate(source: Bundle | str | Path, data: Dataset | str | Path | None = None) -> dict[str, float]:
    """Return the metrics of a bundle's model on a test split, by default that of the dataset it was trained on.

    Raises:
        BundleError: the bundle cannot be read.
        DataError: the data cannot be read, do not fit, or have no test split.
    """
    bundle = bundles.load(source)
    dataset = data if isinstance(data, Dataset) else datasets.load(data or bundle.run["dataset"]["name"])
    dataset = dataset.relabelled(bundle.labels)
    if dataset.test is None:
        raise DataError(f"{dataset.name} has no test split (x_test, y_test) to evaluate on")
    return evaluate_model(bundle.model, bundle.preprocessing, dataset.test)


def evaluate_model(model: keras.Model, preprocessing: Preprocessing, split: Split) -> dict[str, float]:
    """Return the model's metrics on a split; for regression also `rms_error`, on the scale of the raw data."""
    x, y = preprocessing.pairs(split.x, split.y)
    require_full_batches(model, len(x), "test split")
    reset_states(model)
    with runtime.current().carry_rnn_states(model), losses_from_logits():
        metrics = _compute_metrics(model, Split(x, y))
    if y.dtype.kind == "f" and not _is_one_hot(y):
        predicted = preprocessing.targets.inverse(outputs_of(model, x))
        error = predicted - preprocessing.targets.inverse(y).reshape(predicted.shape)
        metrics["rms_error"] = float(np.sqrt(np.mean(np.square(error, dtype="float64"))))
    return metrics


def _compute_metrics(model: keras.Model, data: Split) -> dict[str, float]:
    """Compute the model's metrics by the backend's own loop, as in training, or by Keras' `evaluate` if it has to."""
    from ..epochs import epoch_loop, plans

    if catalog.selected().trains and not plans.reason_for_fit(model, data):
        return epoch_loop.measure(model, data)
    metrics = model.evaluate(data.x, data.y, batch_size=fixed_batch(model), verbose=0, return_dict=True)
    return {name: float(value) for name, value in metrics.items()}


def to_data_terms(preprocessing: Preprocessing, outputs: np.ndarray, classifies: bool) -> np.ndarray:
    """Return class numbers for a classifier's outputs, otherwise values on the scale of the raw data."""
    values = preprocessing.targets.inverse(outputs)
    if classifies and values.dtype.kind == "f":  # integer labels have no one-hot step that would convert outputs back
        return np.asarray(probabilities(outputs).argmax(-1))
    return values


def _is_one_hot(y: np.ndarray) -> bool:
    return bool(y.ndim > 1 and y.shape[-1] > 1 and (y.sum(-1) == 1).all() and (y.max(-1) == 1).all())
