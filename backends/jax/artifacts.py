"""Options for Keras' exports under JAX. JAX itself cannot run any of the formats that Keras writes."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any


def export_options(name: str, model: Any) -> dict[str, Any]:
    """Return keywords for `keras.Model.export` to the format that Keras calls `name`."""
    return {}


def exportable_loops() -> AbstractContextManager[None]:
    """Change nothing: JAX writes no format whose loops need to be replaced."""
    return nullcontext()


def exportable_operations(model: Any) -> AbstractContextManager[None]:
    """Change nothing: all operations are written as they are."""
    return nullcontext()
