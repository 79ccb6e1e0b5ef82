"""How Keras 3 writes an object of its own in a configuration."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def own_object(module: str, class_name: str, config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the node of an object whose class Keras publishes in a module."""
    return {"module": module, "class_name": class_name, "config": dict(config), "registered_name": None}
