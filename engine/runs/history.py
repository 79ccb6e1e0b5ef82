"""The metrics of a training run, epoch by epoch."""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field

# For these metrics of Keras more is better. For all others less is; of `_LESS_IS_BETTER` this is known.
_MORE_IS_BETTER = (
    *("accuracy", "acc", "auc", "precision", "recall", "f1_score", "fbeta_score", "r2_score"),
    *("precision_at_recall", "recall_at_precision", "sensitivity_at_specificity", "specificity_at_sensitivity"),
    *("io_u", "iou", "mean_io_u", "binary_io_u", "one_hot_io_u", "one_hot_mean_io_u"),
    *("cosine_similarity", "pearson_correlation", "concordance_correlation", "true_positives", "true_negatives"),
)

_LESS_IS_BETTER = (
    *("loss", "error", "crossentropy", "divergence", "hinge", "poisson", "logcosh", "log_cosh", "huber"),
    *("mse", "mae", "mape", "msle", "rmse", "false_positives", "false_negatives"),
)


def more_is_better(metric: str) -> bool:
    """Return whether a larger value of this metric is better."""
    return _is_one_of(metric, _MORE_IS_BETTER)


def direction(metric: str) -> str | None:
    """Return `max` or `min` for a metric of Keras, or None for a user's own, whose name does not tell."""
    if more_is_better(metric):
        return "max"
    return "min" if _is_one_of(metric, _LESS_IS_BETTER) else None


def _is_one_of(metric: str, names: Sequence[str]) -> bool:
    """Return whether a metric is one of Keras' by these names.

    Keras numbers a second metric of one kind (`auc_1`), and puts the name of an output before its metrics.
    """
    name = re.sub(r"_\d+$", "", metric.removeprefix("val_"))
    return any(name == known or name.endswith(f"_{known}") for known in names)


def is_better(metric: str, value: float, than: float) -> bool:
    """Return whether a value of this metric is better than another; every number is better than NaN."""
    if math.isnan(than):
        return not math.isnan(value)
    return value > than if more_is_better(metric) else value < than


@dataclass
class History:
    """One dictionary of metrics per epoch, in order, with Keras' names (`loss`, `val_loss`, …).

    Example:
        >>> run.history["val_accuracy"]
        [0.903, 0.931, 0.942]
    """

    epochs: list[dict[str, float]] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.epochs)

    def __contains__(self, metric: str) -> bool:
        return metric in self.metrics

    def __getitem__(self, metric: str) -> list[float]:
        """Return the value of `metric` in each epoch; NaN where an epoch did not measure it."""
        if metric not in self:
            raise KeyError(f"no metric {metric!r} (there are: {', '.join(self.metrics)})")
        return [logs.get(metric, math.nan) for logs in self.epochs]

    @property
    def metrics(self) -> list[str]:
        """The names of all metrics, in order of first appearance."""
        return list(dict.fromkeys(name for logs in self.epochs for name in logs))

    @property
    def monitor(self) -> str:
        """The metric to judge the model by: accuracy before loss, validation before training."""
        for metric in ("val_accuracy", "val_loss", "accuracy", "loss"):
            if metric in self:
                return metric
        return self.metrics[0]

    @property
    def best_epoch(self) -> int:
        """The epoch, counted from 1, at which `monitor` was best."""
        values = [-math.inf if math.isnan(value) else value for value in self._upwards(self.monitor)]
        return values.index(max(values)) + 1

    def _upwards(self, metric: str) -> list[float]:
        return [value if more_is_better(metric) else -value for value in self[metric]]

    def to_json(self) -> list[dict[str, float | None]]:
        """Return the list of epochs; a value that is not finite, which JSON cannot hold, becomes null."""
        return [{k: v if math.isfinite(v) else None for k, v in logs.items()} for logs in self.epochs]

    @classmethod
    def from_json(cls, value: list[dict[str, float | None]]) -> History:
        """Return the history that `to_json` wrote.

        Raises:
            TypeError: the value is no history.
        """
        if not isinstance(value, list) or not all(isinstance(logs, dict) and logs for logs in value):
            raise TypeError("expected a list of epochs, each with its metrics")
        return cls([{name: _number(number) for name, number in logs.items()} for logs in value])


def _number(value: object) -> float:
    if value is None:
        return math.nan
    if isinstance(value, bool) or not isinstance(value, int | float) or abs(value) > sys.float_info.max:
        raise TypeError(f"expected a number for a metric, received {str(value)[:40]!r}")
    return float(value)
