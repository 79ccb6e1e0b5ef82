"""A recipe's layers, as rows that a table or JSON can show."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..backends import catalog, runtime
from ..models.recipe import Recipe


def layers(recipe: Recipe, options: Mapping[str, Any], backend: str | None = None) -> list[dict[str, Any]]:
    """Build the model and describe each layer.

    Returns:
        `name`, `kind` (the Keras class), `output` (shape of one sample) and `parameters` of each, in order.

    Raises:
        BackendError, RecipeError: the backend cannot be used, the options are not the recipe's.
    """
    catalog.use(backend)
    runtime.current()
    return [
        {
            "name": layer.name,
            "kind": type(layer).__name__,
            "output": list(layer.output.shape[1:]),
            "parameters": layer.count_params(),
        }
        for layer in recipe(**options).layers
    ]
