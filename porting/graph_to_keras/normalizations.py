"""Normalizations as Keras layers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from .builder import Builder, Handler, OrderedTensor, UnsupportedNodeError, channels_last, move_to_end
from .foreign_graph import ForeignNode, Weight


def _batch_norm(builder: Builder, node: ForeignNode) -> Sequence[OrderedTensor]:
    x = builder.model_tensor(node.inputs[0])
    order = channels_last(x.rank)
    epsilon, momentum = float(node.attributes["epsilon"]), 1 - float(node.attributes["momentum"])
    weights, has = _scale_and_shift(builder, node)
    tensor = builder.in_order(x, order)
    kind = keras.layers.BatchNormalization
    _note_statistics(builder, node)
    return [OrderedTensor(builder.layer(kind, tensor, weights, epsilon=epsilon, momentum=momentum, **has), order)]


def _note_statistics(builder: Builder, node: ForeignNode) -> None:
    """Note where Keras trains the statistics of a batch normalization otherwise."""
    if not node.attributes["momentum"]:
        builder.note_training(
            f"{node.outputs[0]}: with momentum=None PyTorch averages the statistics of all batches; Keras keeps them "
            "as they are: set `layer.momentum`"
        )
    weights = [builder.operand(each) for each in node.inputs[1:3]]
    if any(isinstance(each, Weight) and each.frozen for each in weights):
        builder.note_training(
            f"{node.outputs[0]}: its weights are frozen; PyTorch still normalizes by each batch in training, Keras by "
            "the moving statistics"
        )


def _layer_norm(builder: Builder, node: ForeignNode) -> Sequence[OrderedTensor]:
    x, rank = builder.model_tensor(node.inputs[0]), int(node.attributes["rank"])
    axes = list(range(x.rank - rank, x.rank))
    order = move_to_end(x.order, axes)
    weights, has = _scale_and_shift(builder, node)
    config: dict[str, Any] = {"axis": -1 if rank == 1 else axes, "epsilon": float(node.attributes["epsilon"]), **has}
    return [
        OrderedTensor(
            builder.layer(keras.layers.LayerNormalization, builder.in_order(x, order), weights, **config), order
        )
    ]


def _rms_norm(builder: Builder, node: ForeignNode) -> Sequence[OrderedTensor]:
    x = builder.model_tensor(node.inputs[0])
    weights = builder.arrays(node.inputs[1:2])
    if not weights or node.attributes["rank"] != 1:
        raise UnsupportedNodeError("it has no scale, or normalizes several axes")
    order = move_to_end(x.order, [x.rank - 1])
    config: dict[str, Any] = {"axis": -1, "epsilon": float(node.attributes["epsilon"])}
    return [
        OrderedTensor(
            builder.layer(keras.layers.RMSNormalization, builder.in_order(x, order), weights, **config), order
        )
    ]


def _group_norm(builder: Builder, node: ForeignNode) -> Sequence[OrderedTensor]:
    x = builder.model_tensor(node.inputs[0])
    order = channels_last(x.rank)
    tensor = builder.in_order(x, order)
    weights, has = _scale_and_shift(builder, node)
    groups, epsilon = int(node.attributes["groups"] or tensor.shape[-1]), float(node.attributes["epsilon"])
    kind = keras.layers.GroupNormalization
    return [OrderedTensor(builder.layer(kind, tensor, weights, groups=groups, axis=-1, epsilon=epsilon, **has), order)]


def _scale_and_shift(builder: Builder, node: ForeignNode) -> tuple[list[tuple[Any, np.ndarray]], dict[str, Any]]:
    """Return the weights of a normalization, and the layer's arguments `scale` and `center`."""
    scale, shift = (builder.array(each) is not None for each in node.inputs[1:3])
    return builder.arrays(node.inputs[1:]), {"scale": scale, "center": shift}


NORMALIZATIONS: dict[str, Handler] = {
    "batch_norm": _batch_norm,
    "layer_norm": _layer_norm,
    "rms_norm": _rms_norm,
    "group_norm": _group_norm,
}
