"""Chooses a loss for a user's model that names none: from the last activation, the output's shape and the targets."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from ...backends import keras_internals
from ...backends.epochs import has_written_losses
from ...data.axes import shape_matches
from ...data.class_counts import are_one_hot
from ...data.nests import Nest, arrays_of
from ...errors import DataError, ModelError
from ..keras_model.interface import output_names
from ..keras_model.loss_names import loss_names, loss_of_each_output

if TYPE_CHECKING:
    import keras

# Of the sum of probabilities in 16 bits.
_ROUNDING = 2e-3

# A loss and metrics for `keras.Model.compile`.
LossAndMetrics = tuple[Any, tuple[Any, ...]]


def choose(
    name: str, shape: tuple[int | None, ...], activation: Callable[..., Any] | None, targets: np.ndarray
) -> LossAndMetrics:
    """Return the loss and the metrics of an output.

    Whole numbers are classes, one for each sample or each position of an output with one value per class; for a single
    output they are 0, "no", and 1, "yes", and so are floats 0 and 1 under a sigmoid. Rows as wide as the output are
    probabilities of classes, such as one-hot rows, or several answers "no" and "yes". Classes are learned from logits
    where the last activation is linear. All other targets are values.

    Args:
        name: of the output, for messages.
        shape: of the output, the batch axis first.
        activation: the last one of the output, or None if it is not known.
        targets: (n, …) prepared.

    Raises:
        DataError: targets of this shape cannot be compared with the output, or its activation gives no scores of
            classes.
    """
    import keras

    units = shape[-1]
    is_linear = activation is keras.activations.linear
    is_softmax = activation in (keras.activations.softmax, keras.activations.log_softmax)
    is_sigmoid = activation is keras.activations.sigmoid
    if units == 1 and is_softmax:
        raise DataError(
            f"the output {name} has one value under a softmax, which is always 1: end it with sigmoid, or without an "
            "activation"
        )
    if units is not None and units > 1 and _are_classes(targets, is_softmax) and _is_one_less(shape, targets):
        _require_scores(name, activation, "softmax")
        _require_class_numbers(name, units, targets)
        is_log = is_linear or activation is keras.activations.log_softmax  # logits but for a constant
        loss = "sparse_categorical_crossentropy"
        return (keras.losses.SparseCategoricalCrossentropy(from_logits=True) if is_log else loss), ("accuracy",)
    if units == 1 and _are_no_or_yes(targets, is_sigmoid) and _is_one_less(shape, targets):
        _require_scores(name, activation, "sigmoid")
        return _binary_loss(is_linear, "accuracy")
    if targets.ndim == len(shape) and targets.shape[-1] == units:
        if is_softmax and _are_probabilities(targets):
            from_log = activation is keras.activations.log_softmax
            loss = "categorical_crossentropy"
            return (keras.losses.CategoricalCrossentropy(from_logits=True) if from_log else loss), ("accuracy",)
        if units != 1 and is_linear and are_one_hot(targets):
            return keras.losses.CategoricalCrossentropy(from_logits=True), ("accuracy",)
        if (is_sigmoid or is_linear) and _are_no_or_yes(targets, is_sigmoid):
            return _binary_loss(is_linear, "binary_accuracy")
    _require_class_per_value(name, shape, targets)
    _require_same_shape(name, shape, targets)
    return "mean_squared_error", ()


def _binary_loss(is_linear: bool, metric: str) -> LossAndMetrics:
    """Return the loss of answers "no" and "yes", and their accuracy: of logits it is that of a threshold at 0."""
    import keras

    if is_linear:
        accuracy = keras.metrics.BinaryAccuracy(metric, threshold=0.0)
        return keras.losses.BinaryCrossentropy(from_logits=True), (accuracy,)
    return "binary_crossentropy", (metric,)


def _require_scores(name: str, activation: Callable[..., Any] | None, advice: str) -> None:
    """Raise a DataError if an activation gives neither probabilities nor logits of classes."""
    import keras

    own = keras.activations
    probabilities = (own.softmax, own.sparsemax, own.sigmoid, own.hard_sigmoid)
    if activation not in (None, own.linear, own.log_softmax, *probabilities):
        raise DataError(
            f"the output {name} ends in {getattr(activation, '__name__', activation)}, which gives neither "
            f"probabilities nor logits, but its targets are classes: end it with {advice} or without an activation, or "
            "compile the model with a loss of its own"
        )


def _require_class_numbers(name: str, units: int, targets: np.ndarray, ignored: int | None = None) -> None:
    """Raise a DataError unless targets are numbers of the classes that an output has a value for.

    Args:
        ignored: the number of positions that a loss leaves out, if there is one.
    """
    counted = targets if ignored is None else targets[targets != ignored]
    if not counted.size:
        return
    if counted.dtype.kind == "f" and not (counted == np.floor(counted)).all():
        raise DataError(f"the output {name} takes class numbers, but its targets are no whole numbers: number them")
    low, high = int(counted.min()), int(counted.max())
    if low < 0 or high >= units:
        left_out = ", or leave positions out by a loss with ignore_class" if low < 0 else ""
        raise DataError(
            f"the output {name} has {units} values, for the classes 0 to {units - 1}, but its targets are classes from "
            f"{low} to {high}: number them from 0, or give it a value for each{left_out}"
        )


def require_fit(model: keras.Model, targets: Nest) -> None:
    """Raise a DataError unless the losses of a compiled model take targets of this kind.

    A framework's own error about it would name neither the loss nor the data. Written losses may take any targets.
    """
    if has_written_losses(model):
        return
    outputs = zip(output_names(model), model.outputs, loss_of_each_output(model), loss_names(model), strict=True)
    for (name, output, loss, kind), array in zip(outputs, arrays_of(targets), strict=True):
        units = output.shape[-1]
        is_row = 1 < array.ndim == len(output.shape) and array.shape[-1] == units
        if "sparsecategorical" in kind and is_row and units and units > 1:
            raise DataError(
                f"the output {name} is compiled with a sparse crossentropy, which takes class numbers, but its targets "
                f"are rows of {units}: give class numbers, or compile it with categorical_crossentropy"
            )
        if "sparsecategorical" in kind and units and units > 1:
            _require_class_of_each_position(name, tuple(output.shape), array)
            _require_class_numbers(name, units, array, getattr(loss, "ignore_class", None))
        # Keras' own losses compare value with value.
        if "sparse" not in kind and (isinstance(loss, str) or keras_internals.is_keras_own(loss)):
            _require_same_values(name, tuple(output.shape), array)


def require_loss(model: keras.Model, name: str) -> None:
    """Raise a ModelError if a compiled model has nothing to minimise: JAX would train it without a word.

    A user's own class or layer may bring a loss, and so do regularizers.
    """
    is_plain = all(keras_internals.is_keras_own(type(layer)) for layer in (model, *keras_internals.all_layers(model)))
    if model.loss is None and is_plain and not model.losses:
        raise ModelError(f"{name} compiles its model without a loss: name one in its call of compile")


def _require_class_of_each_position(name: str, shape: tuple[int | None, ...], targets: np.ndarray) -> None:
    if not _is_one_less(shape, targets):
        raise DataError(
            f"the output {name} has shape {shape[1:]}, so its loss takes class numbers of shape {shape[1:-1]}, but a "
            f"target has shape {targets.shape[1:]}: bring them to one shape"
        )


def _require_same_values(name: str, shape: tuple[int | None, ...], targets: np.ndarray) -> None:
    """Raise a DataError if a loss would compare every value of an output with another one's target.

    Keras leaves out a last axis of 1 of either side; everything else of another shape is broadcast.
    """
    received, expected = targets.shape[1:], shape[1:]
    if shape_matches(expected, received) or (expected[-1:] == (1,) and shape_matches(expected[:-1], received)):
        return
    if received[-1:] == (1,) and len(received) > len(expected) and shape_matches(expected, received[:-1]):
        return
    if _is_one_less(shape, targets) and targets.dtype.kind in "biu":
        raise DataError(
            f"the output {name} is compiled with a loss that takes rows of {shape[-1]} values, such as one-hot rows, "
            "but its targets are class numbers: compile it with sparse_categorical_crossentropy"
        )
    raise DataError(
        f"the output {name} has shape {expected} but a target has shape {received}: its loss would compare them by "
        "broadcasting; bring them to one shape"
    )


def require_forecast(model: keras.Model, targets: np.ndarray) -> None:
    """Raise a DataError unless the output has the shape of the targets of a series, or that with a last axis of 1.

    A loss would broadcast an output of one value to all rows of the horizon.
    """
    (name,), (output,) = output_names(model), model.outputs
    received, expected = tuple(output.shape)[1:], targets.shape[1:]
    if not shape_matches(received, expected) and not shape_matches(received, (*expected, 1)):
        wanted = expected or (1,)
        raise DataError(
            f"the output {name} has shape {received}, but the rows to predict have shape {wanted}: end the model with "
            f"keras.layers.Reshape({wanted})"
        )


def _are_classes(targets: np.ndarray, is_softmax: bool) -> bool:
    """Return whether targets are class numbers; floats are under a softmax, if they are whole numbers from 0."""
    if targets.dtype.kind in "biu":
        return True
    return is_softmax and bool((targets >= 0).all() and (targets == np.floor(targets)).all())


def _are_no_or_yes(targets: np.ndarray, is_sigmoid: bool) -> bool:
    """Return whether targets are 0 and 1; floats are no answers where nothing bounds the output."""
    return (targets.dtype.kind in "biu" or is_sigmoid) and bool(((targets == 0) | (targets == 1)).all())


def _is_one_less(shape: tuple[int | None, ...], targets: np.ndarray) -> bool:
    """Return whether there is one target for each position of an output; (…, 1) stands for (…)."""
    positions = shape[1:-1]
    received = targets.shape[1:]
    if len(received) == len(positions) + 1 and received[-1] == 1:
        received = received[:-1]
    return shape_matches(positions, received)


def _are_probabilities(rows: np.ndarray) -> bool:
    """Return whether each row, along the last axis, holds probabilities of classes: one-hot rows are some."""
    return bool((rows >= 0).all() and np.allclose(rows.sum(axis=-1, dtype="float64"), 1, rtol=0, atol=_ROUNDING))


def _require_class_per_value(name: str, shape: tuple[int | None, ...], targets: np.ndarray) -> None:
    """Raise a DataError if an output of one value for each position gets a class number beyond 1 for each."""
    is_mask = shape[-1] == 1 and len(shape) > 2 and targets.dtype.kind in "iu"
    if is_mask and _is_one_less(shape, targets):
        raise DataError(
            f"the output {name} has one value for each position, which says no or yes, but the targets are class "
            f"numbers from {targets.min()} to {targets.max()}: give it one value for each class"
        )


def _require_same_shape(name: str, shape: tuple[int | None, ...], targets: np.ndarray) -> None:
    """Raise a DataError if targets would be broadcast against an output; (n,) may stand for (n, 1)."""
    received, expected = targets.shape[1:], shape[1:]
    if received == () and expected == (1,):
        return
    if not shape_matches(expected, received):
        raise DataError(
            f"the output {name} has shape {expected} but a target has shape {received}: bring them to one shape, or "
            "compile the model with a loss of its own"
        )
