"""The target of a training: a value that a metric of the validation must reach.

A value that no model can reach, or that any model reaches, is refused before anything is trained.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

from ...engine.runs import direction
from ...errors import OptionError

DEFAULT_METRIC = "val_accuracy"
_VALIDATION = "val_"
# Keras' metrics that lie between 0 and 1, beside all whose names end in `accuracy`; more is better.
_SHARES = frozenset(
    ("acc", "auc", "precision", "recall", "f1_score", "fbeta_score", "mean_io_u", "binary_io_u", "one_hot_io_u")
)
# Keras' metrics that are never negative; less is better.
_ERRORS = frozenset(
    (
        *("mean_squared_error", "mse", "mean_absolute_error", "mae", "root_mean_squared_error"),
        *("mean_absolute_percentage_error", "mape", "mean_squared_logarithmic_error", "msle"),
    )
)


@dataclass(frozen=True)
class Target:
    """A value that a metric of the validation must reach.

    Attributes:
        metric: its name in the history of a training, such as `val_accuracy`.
        value: the value to reach.
        mode: whether the metric must rise to it (`max`) or fall to it (`min`); `auto` until the model is known.

    Raises:
        OptionError: the metric is not one of the validation, or no model can reach the value, or every model does.
    """

    metric: str
    value: float
    mode: str = direction.AUTO

    def __post_init__(self) -> None:
        direction.require_mode("`mode`", self.mode)
        name = self.metric.removeprefix(_VALIDATION)
        if not name or name == self.metric:
            raise OptionError(
                f"`metric`: expected a metric of the validation, such as {DEFAULT_METRIC} or val_loss, received "
                f"{self.metric!r}: what a model does on its own training samples is no target"
            )
        if not math.isfinite(self.value):
            raise OptionError(f"`value`: expected a number, received {self.value}")
        if (name in _SHARES or name.endswith("accuracy")) and not 0 < self.value <= 1:
            raise OptionError(f"`value`: {self.metric} lies between 0 and 1, received {self.value:g}")
        if name in _ERRORS and self.value < 0:
            raise OptionError(f"`value`: {self.metric} is never below 0, received {self.value:g}")

    def resolved(self, known: Mapping[str, str | None]) -> Target:
        """Return the target with its direction.

        Args:
            known: the direction of each metric of the compiled model, as `metric_directions` returns it.

        Raises:
            OptionError: the model is not compiled with this metric, or nobody knows its direction.
        """
        return replace(self, mode=direction.resolve("`metric`", self.metric, self.mode, known))

    def is_reached(self, value: float) -> bool:
        """Return whether a value of the metric reaches the target; NaN never does."""
        return value >= self.value if self.mode == direction.MAX else value <= self.value

    def best_of(self, values: list[float]) -> float | None:
        """Return the best finite value, or None if there is none."""
        finite = [value for value in values if math.isfinite(value)]
        best = max if self.mode == direction.MAX else min
        return best(finite) if finite else None
