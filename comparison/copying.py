"""Write the second model with the weights of the first, as a `.keras` file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..backends import runtime
from ..engine.verification.measurements import assign
from ..engine.verification.model_under_test import ModelUnderTest, build, fresh_keras
from ..engine.verification.tolerances import NamedArrays
from ..storage.atomic import atomic_write


def write_copy(fields: dict[str, Any], variables: NamedArrays, out: str) -> None:
    """Build a model, give it variables, and write it; called in a worker.

    Args:
        fields: those of the `ModelUnderTest`.
        variables: of the whole model, with their names.

    Raises:
        OutputError: the file cannot be written.
    """
    runtime.current()
    from ..engine.keras_model.model_bytes import keras_bytes

    with fresh_keras(float64=False):
        model, _ = build(ModelUnderTest(**{**fields, "float64": False, "without_dropout": False}))
        assign(model, variables)
        content = keras_bytes(model)
    with atomic_write(Path(out)) as temporary:
        temporary.write_bytes(content)
