"""A model's metrics set back and read in one call each.

What Keras does by some twenty small ones for each takes as long as a hundred steps of a small model.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from typing import Any

import jax
import keras

from ..epochs import assign


class CompiledMetrics:
    """The metrics of a compiled Keras model whose variables exist.

    Args:
        model: its metrics stay the same ones, and `can_be_compiled` says yes to them.
    """

    def __init__(self, model: Any):
        self._model = model
        self._beginning: list[jax.Array] = []  # what the variables hold after a reset
        self._results = jax.jit(lambda values: results_of(model, values))

    def reset(self) -> None:
        """`model.reset_metrics()`."""
        if self._beginning:
            assign(self._model.metrics_variables, self._beginning)
            return
        self._model.reset_metrics()
        self._beginning = [variable.value for variable in self._model.metrics_variables]

    def results(self) -> dict[str, float]:
        """`model.get_metrics_result()` as floats."""
        found = self._results([variable.value for variable in self._model.metrics_variables])
        return {name: float(value) for name, value in found.items()}


def results_of(model: Any, values: list[jax.Array]) -> OrderedDict[str, jax.Array]:
    """What the metrics of a Keras model say where their variables hold these values. Can be traced."""
    with keras.StatelessScope(state_mapping=list(zip(model.metrics_variables, values, strict=True))):
        return OrderedDict(model.get_metrics_result())  # of a plain dict JAX would sort the names


def can_be_compiled(model: Any) -> bool:
    """Whether a model's metrics are variables and nothing else; of a user's own classes nobody knows."""
    kinds = {type(metric) for metric in _flat(model.metrics)}
    own = all(kind.__module__.startswith("keras.") for kind in kinds)
    return own and type(model).get_metrics_result is keras.Model.get_metrics_result


def _flat(metrics: list[Any]) -> Iterator[Any]:
    for metric in metrics:
        yield metric
        yield from _flat(getattr(metric, "metrics", []))
