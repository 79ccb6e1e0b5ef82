"""The metrics of a training run, epoch by epoch."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field

from ...functions import metrics_text
from ...notebook.curves import curves
from ...notebook.elements import to_html
from ...notebook.parts import heading, metrics_table
from ...storage.visible_text import visible


@dataclass
class History:
    """One dictionary of metrics per epoch, in order, with Keras' names (`loss`, `val_loss`, …).

    Example:
        >>> history = trivium.History([{"loss": 0.9, "val_accuracy": 0.8}, {"loss": 0.5, "val_accuracy": 0.9}])
        >>> history["val_accuracy"], history.best_epoch
        ([0.8, 0.9], 2)
    """

    epochs: list[dict[str, float]] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.epochs)

    def __iter__(self) -> Iterator[dict[str, float]]:
        return iter(self.epochs)

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
        sign = 1 if self.monitor.removeprefix("val_") == "accuracy" else -1  # all others are losses
        values = [-math.inf if math.isnan(value) else sign * value for value in self[self.monitor]]
        return values.index(max(values)) + 1

    def __repr__(self) -> str:
        """Return the number of epochs and the metrics of the last one, in a line."""
        last = metrics_text(self.epochs[-1]) if self.epochs else "none"
        return visible(f"History of {len(self)} epochs, the last: {last}")

    def _repr_html_(self) -> str:
        epochs = dict(enumerate(self.epochs, 1))
        if not self.metrics:
            return to_html(heading("History", "no epochs"))
        best = self.best_epoch
        rows = {f"epoch {best}, the best by {self.monitor}": self.epochs[best - 1]}
        if best < len(self):
            rows[f"epoch {len(self)}"] = self.epochs[-1]
        parts = [heading("History", f"{len(self)} epochs"), *curves(epochs, best=best), metrics_table(rows)]
        return to_html(*parts)

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
