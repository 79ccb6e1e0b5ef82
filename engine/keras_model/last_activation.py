"""The last activation before an output of a model: what the output holds follows from it.

It is found in the graph of the model, not in the order of its layers. Where the graph does not tell, as after a Lambda,
the values that the output takes do.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from ...backends import keras_internals

if TYPE_CHECKING:
    import keras

Activation = Callable[..., Any]

# Layers and operations that leave a value what it is: a logit stays a logit, and a probability a probability.
_PASSED = (
    *("Reshape", "Flatten", "Permute", "RepeatVector", "Identity", "Squeeze", "ExpandDims", "Transpose", "Moveaxis"),
    *("Dropout", "AlphaDropout", "GaussianDropout", "GaussianNoise", "SpatialDropout", "Cast", "Cropping"),
    *("UpSampling", "GlobalAveragePooling", "AveragePooling", "GlobalMaxPooling", "MaxPooling", "GetItem"),
)
_LAYERS = {"Softmax": "softmax", "ReLU": "relu", "LeakyReLU": "leaky_relu", "PReLU": "leaky_relu", "ELU": "elu"}
_ROUNDING = 1e-3


def last_activation(output: keras.KerasTensor) -> Activation | None:
    """Return the last activation before an output of a model, one of `keras.activations`; None if it is not known.

    Operations that leave a value what it is, such as pooling or a reshape, are passed over. Nested models and wrapped
    layers are looked into.
    """
    import keras

    while (producer := keras_internals.producer_of(output)) is not None:
        operation, inputs, place = producer
        if hasattr(operation, "layers") and getattr(operation, "outputs", None):
            output = operation.outputs[place]
            continue
        operation = getattr(operation, "layer", operation)  # of a wrapper
        is_passed = re.sub(r"[123]D$", "", type(operation).__name__) in _PASSED
        activation = _activation_of(operation)
        is_idle = isinstance(operation, keras.layers.Activation) and activation is keras.activations.linear
        if not (is_passed or is_idle) or len(inputs) != 1:
            return activation
        (output,) = inputs
    return None


def activation_by_values(outputs: np.ndarray) -> Activation:
    """Return the activation that gives such values, (n, …, outputs): softmax, sigmoid or linear."""
    import keras

    is_positive = bool((outputs >= 0).all())
    if outputs.shape[-1] > 1 and is_positive and np.allclose(outputs.sum(-1), 1, rtol=0, atol=_ROUNDING):
        return keras.activations.softmax  # type: ignore[no-any-return]
    is_between = bool(((outputs > 0) & (outputs < 1)).all())
    return keras.activations.sigmoid if is_between else keras.activations.linear  # type: ignore[no-any-return]


def _activation_of(operation: Any) -> Activation | None:
    """Return the activation of a layer, or the one that an operation of `keras.ops` is; None for a user's own."""
    import keras

    own = getattr(operation, "activation", None)
    if own is None:
        kind = type(operation).__name__
        own = getattr(keras.activations, _LAYERS.get(kind, re.sub(r"(?<!^)(?=[A-Z])", "_", kind).lower()), None)
    known = vars(keras.activations).values()
    return own if callable(own) and any(own is each for each in known) else None
