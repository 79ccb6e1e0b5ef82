"""What Keras' exports must be told when JAX makes them. JAX itself serves none of the formats that Keras writes."""

from __future__ import annotations

from typing import Any


def export_options(name: str, model: Any) -> dict[str, Any]:
    """Keywords for `keras.Model.export` to the format that Keras calls `name`."""
    return {}
