"""Figures of our own beside the published ones: `measured.json`, which `trivium bench book --keep` writes."""

from __future__ import annotations

import json
from importlib import resources
from typing import Any

FILE = "measured.json"


def figures() -> dict[str, dict[str, Any]]:
    """For each recipe that was measured: backend, data, epochs, seconds, metric, machine and versions."""
    found: dict[str, dict[str, Any]] = json.loads(resources.files(__package__).joinpath(FILE).read_text("utf-8"))
    return found


def result(figures: dict[str, Any]) -> str:
    """How good it became, as `Reference.result` says it: `val. accuracy 0.971 after 5 epochs`."""
    metric = figures["metric"].replace("val_", "val. ").replace("_", " ")
    value, best = (f"{figures[key]:.4g}" if figures[key] is not None else "not finite" for key in ("value", "best"))
    at_best = f" (at best {best})" if best != value else ""
    return f"{metric} {value}{at_best} after {figures['epochs']} epoch{'s' if figures['epochs'] > 1 else ''}"


def sentence(figures: dict[str, Any]) -> str:
    """The figures in one line, with what they depend on."""
    data = f"{figures['dataset']} ({figures['samples']:,} samples)"
    pace = f", {figures['seconds_per_epoch']:g} s an epoch" if figures["seconds_per_epoch"] is not None else ""
    cores = f"{figures['cores']} cores of " if figures["device"] == "cpu" else ""
    return f"{result(figures)} of {data}{pace}, {figures['backend']}, {cores}{figures['processor']}"
