"""Reader of the softmax layer, with the mask by which layers of attention call it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from ...graph.graph import ArrayReference, ConfigValue, GraphOperand
from .calls import LayerCall
from .reader import GraphReader, UnreadableError
from .shared import float32_input, normalized_axes

# What Keras computes with where the mask is false.
_MASKED_SCORE = -1e9


def read_softmax(reader: GraphReader, call: LayerCall) -> Sequence[ArrayReference]:
    """Read a softmax. With a mask it is that of large negative numbers where the mask is false, and zero there."""
    axes = normalized_axes(call.operation.axis, reader.spec(call.arguments["inputs"]).rank)
    config: dict[str, ConfigValue] = {"axis": axes[0] if len(axes) == 1 else axes}
    mask = call.arguments.get("mask")
    if mask is None:
        return reader.add(call, "softmax", [float32_input(reader, call)], config=config)
    if len(axes) > 1 or call.operation.compute_dtype != "float32":
        raise UnreadableError("is called with a mask, and computes over several axes or not in float32")
    inputs, keep = call.arguments["inputs"], _as_bool(reader, call, mask)
    (scores,) = reader.add(call, "where", [keep, inputs, _MASKED_SCORE], role="scores")
    (weights,) = reader.add(call, "softmax", [scores], config=config, role="weights")
    return reader.add(call, "where", [keep, weights, 0.0])


def _as_bool(reader: GraphReader, call: LayerCall, mask: Any) -> GraphOperand:
    if isinstance(mask, ArrayReference):
        if reader.spec(mask).dtype.startswith("float"):
            raise UnreadableError("is called with a mask of floats")
        return reader.cast(call, mask, "bool", "mask")
    return reader.constant(call, np.asarray(keras.ops.convert_to_numpy(mask)).astype(bool), "mask")
