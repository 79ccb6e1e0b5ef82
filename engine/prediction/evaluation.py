"""How good a trained model is, and what it says of new data."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ...backends import runtime
from ...backends.same_run.crossentropy import owned_losses
from ...errors import DataError
from ..bundles import bundle as bundles
from ..bundles.bundle import Bundle
from ..data import datasets
from ..data.dataset import Dataset, Split
from ..data.sources.files import require_numbers
from ..keras_model.inference import fits, fixed_batch, outputs_of, probabilities, require_whole_batches, reset_states
from ..preprocessing.pipeline import Preprocessing

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True)
class Predictions:
    """What a model says of some inputs.

    Attributes:
        outputs: what the model returned, (n, …) float: probabilities of the classes, or prepared values.
        values: in the terms of the data: class numbers, or values on the original scale.
        labels: the names of the classes, empty where the model does not classify.
    """

    outputs: np.ndarray
    values: np.ndarray
    labels: tuple[str, ...]

    def to_json(self) -> list[Any]:
        """One entry a sample: the label with its probabilities, or the value."""
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
    """What a bundle's model says of raw inputs, prepared as its training data were.

    Args:
        source: a bundle, its file, or the run folder that holds it.
        x: (n, …), of the shape and dtype that the training data had.

    Raises:
        BundleError: the bundle cannot be read.
        DataError: the inputs are not what the model takes.
    """
    found = bundles.load(source)
    require_numbers(x, "inputs")
    prepared = found.preprocessing.inputs(x)
    if not fits(found.model, prepared):
        expected = tuple(found.model.inputs[0].shape)[1:]
        raise DataError(f"a prepared sample has shape {prepared.shape[1:]} but the model takes {expected}")
    outputs = outputs_of(found.model, prepared)
    return Predictions(outputs, in_terms_of_data(found.preprocessing, outputs, bool(found.labels)), found.labels)


def evaluate(source: Bundle | str | Path, data: Dataset | str | Path | None = None) -> dict[str, float]:
    """The metrics of a bundle's model on the test split of some data, by default that of its own training data.

    Raises:
        BundleError: the bundle cannot be read.
        DataError: the data cannot be read, do not fit, or have no test split.
    """
    found = bundles.load(source)
    dataset = data if isinstance(data, Dataset) else datasets.load(data or found.run["dataset"]["name"])
    dataset = dataset.relabelled(found.labels)
    if dataset.test is None:
        raise DataError(f"{dataset.name} has no test split (x_test, y_test) to evaluate on")
    return evaluate_model(found.model, found.preprocessing, dataset.test)


def evaluate_model(model: keras.Model, preprocessing: Preprocessing, split: Split) -> dict[str, float]:
    """The model's own metrics on a split; for predicted values also `rms_error`, on the scale of the raw data."""
    x, y = preprocessing.pairs(split.x, split.y)
    require_whole_batches(model, len(x), "test split")
    reset_states(model)
    with runtime.current().remembering(model), owned_losses():
        metrics = _measured(model, Split(x, y))
    if y.dtype.kind == "f" and not _is_one_hot(y):
        predicted = preprocessing.targets.inverse(outputs_of(model, x))
        error = predicted - preprocessing.targets.inverse(y).reshape(predicted.shape)
        metrics["rms_error"] = float(np.sqrt(np.mean(np.square(error, dtype="float64"))))
    return metrics


def _measured(model: keras.Model, data: Split) -> dict[str, float]:
    """The model's metrics: by the backend's own loop, as in training, where that can be; else by `evaluate`."""
    from ..epochs import epoch_loop, plans

    if not plans.needs_fit(model, data):
        return epoch_loop.measure(model, data)
    found = model.evaluate(data.x, data.y, batch_size=fixed_batch(model), verbose=0, return_dict=True)
    return {name: float(value) for name, value in found.items()}


def in_terms_of_data(preprocessing: Preprocessing, outputs: np.ndarray, classifies: bool) -> np.ndarray:
    """Class numbers for a classifier's outputs, values on the original scale for others."""
    values = preprocessing.targets.inverse(outputs)
    if classifies and values.dtype.kind == "f":  # integer labels were never one-hot: no step turned them back
        return np.asarray(probabilities(outputs).argmax(-1))
    return values


def _is_one_hot(y: np.ndarray) -> bool:
    return bool(y.ndim > 1 and y.shape[-1] > 1 and (y.sum(-1) == 1).all() and (y.max(-1) == 1).all())
