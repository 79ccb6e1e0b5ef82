"""Which direction of each metric of a compiled model is better, as Keras knows it: its name says nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...backends import keras_internals
from ...data.nests import Nest
from .interface import output_names, pack

if TYPE_CHECKING:
    import keras

# Keras gives its counts of decisions no direction.
_COUNTS = {"TruePositives": "max", "TrueNegatives": "max", "FalsePositives": "min", "FalseNegatives": "min"}


def metric_directions(model: keras.Model, targets: Nest) -> dict[str, str | None]:
    """Return `max`, `min`, or None where Keras does not know, for each metric by its name in the logs.

    Args:
        model: compiled.
        targets: in the model's nest, as `match_targets` returns them; only their shapes matter.
    """
    losses = ["loss"]
    if len(model.outputs) > 1:
        losses += [f"{name}_loss" for name in output_names(model)]
    metrics = keras_internals.compiled_metrics(model, targets, pack(model, "output", model.outputs))
    return {**dict.fromkeys(losses, "min"), **{name: _direction(metric) for name, metric in metrics.items()}}


def _direction(metric: keras.Metric) -> str | None:
    """Return the direction of a metric, or of the class that Keras has for the function that a metric averages."""
    for kind in type(metric).__mro__:
        if kind.__name__ in _COUNTS and keras_internals.is_keras_own(kind):
            return _COUNTS[kind.__name__]
    return keras_internals.metric_direction(metric) or keras_internals.metric_direction(_metric_of_function(metric))


def _metric_of_function(metric: keras.Metric) -> Any:
    """Return Keras' metric by the name of the function that a metric averages, or None if it is not Keras' own."""
    import keras

    function = keras_internals.averaged_function(metric)
    if function is None or not keras_internals.is_keras_own(function):
        return None
    try:
        return keras.metrics.get(getattr(function, "__name__", ""))
    except ValueError:
        return None
