"""Resetting and reading a model's metrics, each in one compiled call.

Keras makes about twenty small calls for each, which take as long as a hundred steps of a small model.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from typing import Any

import jax
import keras

from ..epochs import as_numbers, assign


class CompiledMetrics:
    """The metrics of a compiled Keras model whose variables exist.

    Args:
        model: a model whose metrics `can_be_compiled` and are not replaced afterwards.
    """

    def __init__(self, model: Any):
        self._model = model
        self._reset_values: list[jax.Array] = []  # the values after a reset
        self._results = jax.jit(lambda values: results_of(model, values))

    def reset(self) -> None:
        """Reset as `model.reset_metrics()` does."""
        if self._reset_values:
            assign(self._model.metrics_variables, self._reset_values)
            return
        self._model.reset_metrics()
        self._reset_values = [variable.value for variable in self._model.metrics_variables]

    def results(self) -> dict[str, float]:
        """Return `model.get_metrics_result()` as floats."""
        results = self._results([variable.value for variable in self._model.metrics_variables])
        return as_numbers(results)


def results_of(model: Any, values: list[jax.Array]) -> OrderedDict[str, jax.Array]:
    """Return the metric results of a Keras model for these values of the metrics' variables. Can be traced."""
    with keras.StatelessScope(state_mapping=list(zip(model.metrics_variables, values, strict=True))):
        return OrderedDict(model.get_metrics_result())  # JAX would sort the keys of a plain dict


def can_be_compiled(model: Any) -> bool:
    """Return whether all metrics are Keras' own classes, whose whole state is in variables."""
    kinds = {type(metric) for metric in _flatten(model.metrics)}
    own = all(kind.__module__.startswith("keras.") for kind in kinds)
    return own and type(model).get_metrics_result is keras.Model.get_metrics_result


def _flatten(metrics: list[Any]) -> Iterator[Any]:
    for metric in metrics:
        yield metric
        yield from _flatten(getattr(metric, "metrics", []))
