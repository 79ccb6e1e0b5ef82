"""Map Keras' activation functions to kinds of graph nodes."""

from __future__ import annotations

from typing import Any

import keras

from ...graph.graph import ConfigValue

# The default options of each function. Layers call an activation with its input only.
_DEFAULTS: dict[str, dict[str, ConfigValue]] = {
    "relu": {"negative_slope": 0.0, "max_value": None, "threshold": 0.0},
    "leaky_relu": {"negative_slope": 0.2},
    "elu": {"alpha": 1.0},
    "celu": {"alpha": 1.0},
    "gelu": {"approximate": False},
    "hard_shrink": {"threshold": 0.5},
    "soft_shrink": {"threshold": 0.5},
    "squareplus": {"b": 4.0},
}
_LAST_AXIS = ("softmax", "log_softmax", "glu")
_WITHOUT_OPTIONS = (
    *("linear", "relu6", "selu", "sigmoid", "tanh", "silu", "mish", "softplus", "softsign", "log_sigmoid"),
    *("hard_sigmoid", "hard_silu", "hard_tanh", "tanh_shrink", "sparse_plus", "sparse_sigmoid", "sparsemax"),
)


def activation_of(function: Any, rank: int) -> tuple[str, dict[str, ConfigValue]] | None:
    """Return the kind and configuration of a layer's activation, or None if the function is not one of Keras'.

    Args:
        function: a function of `keras.activations`; None means no activation.
        rank: the rank of the array that it is applied to.
    """
    if function is None:
        return "linear", {}
    name = getattr(function, "__name__", "")
    if name not in (*_DEFAULTS, *_LAST_AXIS, *_WITHOUT_OPTIONS, "exponential"):
        return None
    if getattr(keras.activations, name) is not function:
        return None
    if name == "exponential":
        return "exp", {}
    if name in _LAST_AXIS:
        return name, {"axis": rank - 1}
    return name, dict(_DEFAULTS.get(name, {}))
