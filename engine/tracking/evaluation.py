"""The metrics of a finished run, by the names that trackers have them under: `test/accuracy`."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

# The parts of a record with such metrics.
_PARTS = {"evaluation": "test", "training_evaluation": "trained_on"}


def evaluation_of(record: Mapping[str, Any]) -> dict[str, float]:
    """Return the metrics in the record of a run, of the test split and the part of a series that was trained on."""
    parts = {prefix: record.get(name) for name, prefix in _PARTS.items()}
    return {
        f"{prefix}/{name}": float(value)
        for prefix, part in parts.items()
        if isinstance(part, Mapping)
        for name, value in part.items()
        if isinstance(value, (int, float)) and math.isfinite(value)
    }
