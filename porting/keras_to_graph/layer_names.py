"""The names of layers as if the model were the first that was built.

Keras numbers layers without a name through the whole process: the first `Conv2D` of a second model is `conv2d_7`, for
instance. In a written model it is `conv2d`.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from ...engine.keras_model.architecture import default_layer_name


class LayerNames:
    """Names the layers of a model.

    Args:
        layers: all layers of the model, at any depth.
    """

    def __init__(self, layers: Iterable[Any]) -> None:
        numbers: dict[str, set[int]] = defaultdict(set)
        for layer in layers:
            number = _number(layer)
            if number is not None:
                numbers[default_layer_name(type(layer).__name__)].add(number)
        self._first = {base: min(taken) for base, taken in numbers.items()}

    def name(self, operation: Any) -> str:
        """Return the name of a layer; that of an operation, or of a layer that has its name from the user, stays."""
        number, base = _number(operation), default_layer_name(type(operation).__name__)
        if number is None or base not in self._first:
            return str(operation.name)
        number -= self._first[base]
        return f"{base}_{number}" if number else base


def _number(operation: Any) -> int | None:
    """Return the number in a name that Keras gave; None for another name."""
    match = re.fullmatch(rf"{re.escape(default_layer_name(type(operation).__name__))}(?:_(\d+))?", str(operation.name))
    return int(match[1] or 0) if match else None
