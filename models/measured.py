"""trivium's own figures, beside the published ones: `measured.json`, written by `trivium bench book --keep`."""

from __future__ import annotations

import json
from importlib import resources
from typing import Any

FILE = "measured.json"


def figures() -> dict[str, dict[str, Any]]:
    """Return the figures of each measured recipe: backend, data, epochs, seconds, metric, machine and versions."""
    table: dict[str, dict[str, Any]] = json.loads(resources.files(__package__).joinpath(FILE).read_text("utf-8"))
    return table


def result(figures: dict[str, Any]) -> str:
    """Return the metric in the form of `PublishedResult.result`, such as `val. accuracy 0.971 after 5 epochs`."""
    metric = figures["metric"].replace("val_", "val. ").replace("_", " ")
    value, best = (f"{figures[key]:.4g}" if figures[key] is not None else "not finite" for key in ("value", "best"))
    at_best = f" (at best {best})" if best != value else ""
    return f"{metric} {value}{at_best} after {figures['epochs']} epoch{'s' if figures['epochs'] > 1 else ''}"


def sentence(figures: dict[str, Any]) -> str:
    """Return the figures in one line, with their data, backend and machine."""
    data = f"{figures['dataset']} ({figures['samples']:,} samples)"
    pace = f", {figures['seconds_per_epoch']:g} s an epoch" if figures["seconds_per_epoch"] is not None else ""
    cores = f"{figures['cores']} cores of " if figures["device"] == "cpu" else ""
    return f"{result(figures)} of {data}{pace}, {figures['backend']}, {cores}{figures['processor']}"
