"""Nodes that a user's converter computes: see `porting/converters.py`."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import keras
import numpy as np

from ..converters import Converters
from .builder import Builder, Handler, OrderedTensor, UnsupportedNodeError, identity_order
from .constant_folding import UniformArray, is_open
from .converted_nodes import KIND
from .foreign_graph import ForeignNode, Operand, Weight


def handlers(converters: Converters) -> dict[str, Handler]:
    """Return the handler of the nodes that these converters compute."""
    return {KIND: partial(_convert, converters)}


def _convert(converters: Converters, builder: Builder, node: ForeignNode) -> Sequence[Any]:
    converter = converters[node.attributes["target"]]
    names = node.attributes["names"]
    arguments = {name: _argument(builder, operand) for name, operand in zip(names, node.inputs, strict=True)}
    result = converter.convert(arguments, node.attributes["positional_count"])
    results = list(result) if isinstance(result, (list, tuple)) else [result]
    if len(results) < len(node.outputs):
        raise UnsupportedNodeError(
            f"the converter {converter.name} returns {len(results)} arrays, expected {len(node.outputs)}"
        )
    return [_result(each) for each in results]


def _argument(builder: Builder, operand: Operand) -> Any:
    """Return an argument as the converter takes it: a symbolic tensor, a NumPy array, or plain Python.

    Arrays have the file's order of axes. Weights that are trained are tensors.
    """
    if isinstance(operand, tuple):
        return tuple(_argument(builder, each) for each in operand)
    value = builder.operand(operand)
    if isinstance(value, UniformArray):
        value = builder.uniform(value) if any(map(is_open, value.shape)) else np.full(value.shape, value.value)
    if isinstance(value, Weight):
        value = builder.free_parameter(value) if value.trainable else value.value
    return builder.in_file_order(value) if isinstance(value, OrderedTensor) else value


def _result(value: Any) -> Any:
    if isinstance(value, keras.KerasTensor):
        return OrderedTensor(value, identity_order(len(value.shape)))
    return np.asarray(keras.ops.convert_to_numpy(value))
