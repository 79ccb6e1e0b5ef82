"""Evaluate a trained model, and predict new data."""

from __future__ import annotations

import contextlib
import functools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ...backends import catalog, runtime
from ...backends.epochs import as_numbers, has_written_losses
from ...backends.same_run.operations import portable_operations
from ...backends.same_run.portable_random import portable_draws
from ...data import axes
from ...data.class_counts import count_classes
from ...data.data_source import DataSource
from ...data.dataset import Dataset, Labels, Split, labels_of
from ...data.deferred_array import chunks_of
from ...data.nests import Nest, arrays_of, is_array, is_deferred, named_arrays, select, take
from ...data.preprocessing.pipeline import Preprocessing
from ...data.series.windows import SeriesWindows
from ...data.tables.recoding import with_columns
from ...errors import BundleError, DataError
from ...notebook.elements import to_html
from ...notebook.parts import MOST_ROWS
from ...storage.safe_json import finite
from ..bundles import bundle as bundles
from ..bundles import thresholds
from ..bundles.bundle import Bundle
from ..bundles.written_losses import has_recorded_losses
from ..keras_model.class_scores import class_outputs, predicted_classes, probabilities
from ..keras_model.data_for_model import for_model
from ..keras_model.inference import (
    accepts_shape,
    fixed_batch,
    outputs_of,
    require_full_batches,
    require_memory,
    reset_states,
)
from ..keras_model.interface import by_name, match_inputs, match_targets, output_names, tensors_of
from ..keras_model.loss_names import has_loss
from ..keras_model.token_range import require_known_tokens
from . import inputs, prediction_table
from .bundle_checks import as_bundle_errors, require_labels
from .class_accuracy import class_accuracies
from .predictions_view import predictions_view
from .recorded_data import load_recorded, read_alike

if TYPE_CHECKING:
    import keras
    import polars


# Samples that are read from their files at a time: in a step of `evaluate`, and for the errors of outputs of values.
_DEFERRED_BATCH = 256
_DEFERRED_SAMPLES = 8_192


@dataclass(frozen=True)
class Predictions:
    """A model's predictions. With several outputs, each attribute is a dictionary by the name of the output.

    Attributes:
        outputs: (n, …) float outputs of the model: class probabilities, or preprocessed values.
        values: class numbers, or values on the scale of the raw data.
        labels: the names of the classes; empty for regression.
    """

    outputs: Nest
    values: Nest
    labels: Labels

    def __repr__(self) -> str:
        first = arrays_of(self.values)[0]
        return f"Predictions of {len(first)} samples" + (f", {len(self.labels)} classes" if self.labels else "")

    def _repr_html_(self) -> str:
        return to_html(*predictions_view(self._first(MOST_ROWS).to_json(), len(arrays_of(self.values)[0])))

    def _first(self, count: int) -> Predictions:
        rows = slice(0, count)
        return Predictions(take(self.outputs, rows), take(self.values, rows), self.labels)

    def to_json(self) -> list[Any]:
        """Return one entry per sample: the label with its probabilities, or the value; for several outputs by name.

        A number that is not finite is None, and so is the label of its sample.

        Where each position of a sample has a class, such as each pixel, the entry has the `classes` by number, the
        `labels` in the order of these numbers, and the `shares` of the positions by label.
        """
        if is_array(self.outputs):
            assert isinstance(self.labels, tuple)
            return list(finite(_entries(self.outputs, self.values, self.labels)))
        entries = {
            name: _entries(self.outputs[name], self.values[name], labels_of(self.labels, name)) for name in self.outputs
        }
        return [finite(dict(zip(entries, sample, strict=True))) for sample in zip(*entries.values(), strict=True)]

    def to_frame(self) -> polars.DataFrame:
        """Return a data frame of Polars: a row for each sample, and the columns of `prediction_table.to_frame`."""
        return prediction_table.to_frame(self.to_json())


def _entries(outputs: np.ndarray, values: np.ndarray, labels: tuple[str, ...]) -> list[Any]:
    """Return one entry per sample of an output."""
    if not labels:
        is_single = values.ndim == 2 and values.shape[1] == 1
        return (values[:, 0] if is_single else values).tolist()  # type: ignore[no-any-return]
    if values.ndim > 1:
        return [_class_map(value, labels) for value in values]
    return [
        {
            "label": labels[int(value)] if np.isfinite(row).all() else None,  # NaN says nothing about the class
            "probability": float(row[int(value)]),
            "probabilities": dict(zip(labels, map(float, row), strict=True)),
        }
        for value, row in zip(values, probabilities(outputs), strict=True)
    ]


def _class_map(classes: np.ndarray, labels: tuple[str, ...]) -> dict[str, Any]:
    """Return the entry of a sample with a class number for each of its positions."""
    shares = count_classes(classes.reshape(-1), len(labels)) / classes.size
    return {
        "classes": classes.tolist(),
        "labels": list(labels),
        "shares": dict(zip(labels, shares.tolist(), strict=True)),
    }


def predict(source: Bundle | str | Path, x: Any, threshold: float | None = None) -> Predictions:
    """Predict raw inputs with a bundle's model. They are preprocessed as the training data were.

    Args:
        source: a bundle, its file, or the run folder that holds it.
        x: (n, …) inputs, of the shape and dtype of the training data; a nest of them for a model of several inputs,
            by name or in order; for a model of a table, a data frame or a list of dictionaries by column.
        threshold: the probability above which the second of two classes is predicted, by default that of the training.

    Raises:
        BundleError: the bundle cannot be read.
        DataError: the inputs do not fit the model.
        OptionError: there is no threshold for such classes.
    """
    bundle = bundles.load(source)
    threshold = thresholds.in_force(bundle, threshold)
    require_labels(bundle)
    x = inputs.samples_of(bundle, x)
    with as_bundle_errors("the preparation of the bundle cannot prepare the samples"):
        prepared = match_inputs(bundle.model, bundle.preprocessing.inputs(x))
    _require_shape(bundle.model, prepared)
    with as_bundle_errors("the model of the bundle cannot be computed"):
        outputs = class_outputs(bundle.model, outputs_of(bundle.model, prepared), bundle.labels)
    with as_bundle_errors("the preparation of the bundle cannot restore the values"):
        values = to_data_terms(bundle.preprocessing, outputs, bundle.labels, threshold)
    return Predictions(outputs, values, bundle.labels)


def _require_shape(model: keras.Model, prepared: Nest) -> None:
    """Raise a DataError unless the model takes preprocessed samples of this shape and with these numbers."""
    if not accepts_shape(model, prepared):
        expected = ", ".join(str(tuple(tensor.shape)[1:]) for tensor in model.inputs)
        received = ", ".join(str(array.shape[1:]) for array in arrays_of(prepared))
        raise DataError(
            f"a prepared sample has shape {received} but the model takes {expected}{_advice(model, prepared)}"
        )
    require_known_tokens(model, prepared, is_deferred(prepared))


def _advice(model: keras.Model, prepared: Nest) -> str:
    if not is_array(prepared):
        return ""
    shape = tuple(model.inputs[0].shape)[1:]
    if axes.shape_matches(shape, prepared.shape):
        return ": this is one sample, and axis 0 counts them: x = x[None]"
    return axes.reshape_advice(prepared.shape[1:], functools.partial(axes.shape_matches, shape))


def evaluate(
    source: Bundle | str | Path, data: DataSource | None = None, threshold: float | None = None
) -> dict[str, float]:
    """Return the metrics of a bundle's model on a test split, by default that of the dataset it was trained on.

    Other data are read as those of the training were, unless their name says otherwise: pictures in their size, tables
    and series by their targets. The threshold is that of `predict`.

    Raises:
        BundleError: the bundle cannot be read.
        DataError: the data cannot be read, do not fit, or have no test split.
        OptionError: there is no threshold for such classes.
    """
    bundle = bundles.load(source)
    threshold = thresholds.in_force(bundle, threshold)
    dataset = data_of(bundle, data)
    if dataset.test is None:
        raise DataError(f"{dataset.name} has no test split (x_test, y_test) to evaluate on")
    require_labels(bundle)
    settings = (dataset.series, bundle.labels, threshold)
    with as_bundle_errors("the model of the bundle cannot be evaluated on these data"):
        metrics = evaluate_model(bundle.model, bundle.preprocessing, dataset.test, *settings)
    if not metrics:
        raise BundleError(
            "there is nothing to evaluate the model by: it was trained by written losses, which its bundle does not "
            "hold, and without metrics; `train` evaluates them on the test split"
        )
    return metrics


def data_of(bundle: Bundle, data: DataSource | None = None) -> Dataset:
    """Return the data of a bundle's training, or a user's, as the bundle's model takes them: not yet prepared.

    Raises:
        DataError: the data cannot be read, or do not fit.
    """
    dataset = load_recorded(bundle) if data is None else read_alike(bundle, data)
    dataset.require_arrays("`evaluate`")
    if dataset.columns:
        dataset = with_columns(dataset, inputs.columns_of(bundle))
    dataset = for_model(dataset, bundle.model)
    return dataset if has_recorded_losses(bundle) else dataset.relabelled(bundle.labels)


def evaluate_model(
    model: keras.Model,
    preprocessing: Preprocessing,
    split: Split,
    series: SeriesWindows | None = None,
    labels: Labels = (),
    threshold: float | None = None,
) -> dict[str, float]:
    """Return the model's metrics on a split; for regression also `rms_error`, on the scale of the raw data.

    With several outputs it is `price_rms_error` for the output `price`, and so it is with several targets of a series,
    whose units may differ. For classes also `class_accuracy`, where no metric of the model tells it: see
    `class_accuracies`.
    """
    prepared = Split(*preprocessing.pairs(split.x, split.y))
    prepared = Split(match_inputs(model, prepared.x), match_targets(model, prepared.y))
    _require_shape(model, prepared.x)
    require_full_batches(model, len(prepared), "test split")
    require_memory(model, prepared.is_deferred, "test split")
    reset_states(model)
    # Written losses may draw numbers in the evaluation too.
    draws = portable_draws() if has_written_losses(model) else contextlib.nullcontext()
    with runtime.current().carry_rnn_states(model), portable_operations(), draws:
        metrics = _compute_metrics(model, prepared)
    metrics |= class_accuracies(model, _parts(prepared), labels, threshold)
    return metrics | _rms_errors(model, preprocessing, prepared, series)


def _rms_errors(
    model: keras.Model, preprocessing: Preprocessing, prepared: Split, series: SeriesWindows | None
) -> dict[str, float]:
    """Return the root-mean-square error of each output of values, on the scale of the raw data."""
    if len(arrays_of(prepared.y)) != len(model.outputs):
        return {}  # of written losses, which alone know what the targets are
    targets = named_arrays(by_name(output_names(model), prepared.y), "")
    values = [name for name, y in targets.items() if y.dtype.kind == "f" and not all(map(_is_one_hot, chunks_of(y)))]
    if not values:
        return {}
    squares: dict[str, list[tuple[float, int]]] = {}
    for part in _parts(prepared):
        outputs = named_arrays(outputs_of(model, part.x), "")
        y = named_arrays(by_name(output_names(model), part.y), "")
        for name in values:
            if outputs[name].size != y[name].size:
                continue  # of written losses, which may compare anything with anything
            errors = _squared_errors(preprocessing, outputs[name], y[name])
            for metric, squared in _by_target(name, errors, series).items():
                squares.setdefault(metric, []).append((float(np.mean(squared)), squared.size))
    return {metric: math.sqrt(_weighted_mean(means)) for metric, means in squares.items()}


def values_rms_errors(
    preprocessing: Preprocessing, outputs: np.ndarray, y: np.ndarray, series: SeriesWindows | None
) -> dict[str, float]:
    """Return the root-mean-square error of the only output of values, or of each target of a series, in its units.

    Args:
        outputs: of the model.
        y: the prepared targets.
    """
    squares = _by_target("", _squared_errors(preprocessing, outputs, y), series)
    return {metric: math.sqrt(float(np.mean(squared))) for metric, squared in squares.items()}


def _squared_errors(preprocessing: Preprocessing, outputs: np.ndarray, y: np.ndarray) -> np.ndarray:
    predicted = preprocessing.targets.inverse(outputs)
    error = predicted - preprocessing.targets.inverse(y).reshape(predicted.shape)
    return np.asarray(np.square(error, dtype="float64"))


def _by_target(output: str, errors: np.ndarray, series: SeriesWindows | None) -> dict[str, np.ndarray]:
    """Return the squared errors of an output by the name of the metric: of each target, where a series has several."""
    if series and len(series.targets) > 1:
        return {f"{target}_rms_error": errors[..., place] for place, target in enumerate(series.targets)}
    return {f"{output.removeprefix('/')}_rms_error" if output else "rms_error": errors}


def _parts(split: Split) -> Iterator[Split]:
    """Yield a split as a whole if it is in memory, else the targets of some samples at a time; inputs are not read."""
    size = _DEFERRED_SAMPLES if split.is_deferred else len(split)
    for start in range(0, len(split), size):
        samples = slice(start, start + size)
        yield Split(select(split.x, samples), take(split.y, samples))


def _weighted_mean(means: Sequence[tuple[float, int]]) -> float:
    if len(means) == 1:
        return means[0][0]
    return math.fsum(mean * count for mean, count in means) / sum(count for _, count in means)


def _compute_metrics(model: keras.Model, data: Split) -> dict[str, float]:
    """Compute the model's metrics by the backend's own loop, as in training, or by Keras' `evaluate` if it has to."""
    from ..epochs import batches as epoch_batches
    from ..epochs import epoch_loop, plans

    if not has_loss(model):
        return _metrics_without_loss(model, data)
    if catalog.selected().trains and not plans.reason_for_fit(model, data):
        return epoch_loop.measure(model, data)
    if data.is_deferred:
        with contextlib.closing(epoch_batches.batches_of(data, fixed_batch(model) or _DEFERRED_BATCH)) as batches:
            metrics = model.evaluate(batches, verbose=0, return_dict=True)
    else:
        metrics = model.evaluate(data.x, data.y, batch_size=fixed_batch(model), verbose=0, return_dict=True)
    return as_numbers(metrics)


def _metrics_without_loss(model: keras.Model, data: Split) -> dict[str, float]:
    """Return the metrics of a model that is compiled without a loss, for which Keras evaluates nothing."""
    model.reset_metrics()
    for part in _parts(data):
        model.compute_metrics(None, tensors_of(part.y), tensors_of(outputs_of(model, part.x)))
    metrics = as_numbers(model.get_metrics_result())
    metrics.pop("loss")
    return metrics


def to_data_terms(preprocessing: Preprocessing, outputs: Nest, labels: Labels, threshold: float | None = None) -> Nest:
    """Return class numbers for a classifier's outputs, otherwise values on the scale of the raw data.

    Args:
        preprocessing: of the model.
        outputs: probabilities, or preprocessed values.
        labels: the names of the classes.
        threshold: as in `predict`.
    """
    if not is_array(outputs):
        return {
            name: to_data_terms(preprocessing, output, labels_of(labels, name), threshold)
            for name, output in outputs.items()
        }
    return predicted_classes(outputs, threshold) if labels else preprocessing.targets.inverse(outputs)


def _is_one_hot(y: np.ndarray) -> bool:
    return bool(y.ndim > 1 and y.shape[-1] > 1 and (y.sum(-1) == 1).all() and (y.max(-1) == 1).all())
