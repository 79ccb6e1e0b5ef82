"""Keras' recurrent layers for recurrent nodes, whose attributes `recurrent_form.py` defines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from .builder import Builder, Handler, OrderedTensor, UnsupportedNodeError
from .constant_folding import UniformArray
from .foreign_graph import ForeignNode, Operand, Weight

_CELLS = {"lstm": keras.layers.LSTM, "gru": keras.layers.GRU}
_ACTIVATIONS = {"rnn_tanh": "tanh", "rnn_relu": "relu"}


def _recurrent(builder: Builder, node: ForeignNode) -> Sequence[OrderedTensor]:
    """Stack the layers. Return the sequences, and the final states of all layers and directions, stacked by kind."""
    x, attributes = builder.model_tensor(node.inputs[0]), node.attributes
    if x.rank != 3:
        raise UnsupportedNodeError("its input has no batch axis: add one")
    order = (0, 1, 2) if attributes["batch_first"] else (1, 0, 2)
    tensor = builder.in_order(x, order)
    kinds = 2 if attributes["cell"] == "lstm" else 1
    starts = _initial_states(builder, node.inputs[1:], kinds)
    ends: list[list[Any]] = [[] for _ in range(kinds)]
    for number, directions in enumerate(attributes["weights"]):
        if number and attributes["dropout"]:
            tensor = keras.layers.Dropout(attributes["dropout"])(tensor)
        at = number * len(directions)
        initial_states = [state[:, at + way] for way in range(len(directions)) for state in starts]
        tensor, *after = _layer(builder, node, directions, tensor, initial_states)
        for place, state in enumerate(after):
            ends[place % kinds].append(state)
    states = [OrderedTensor(keras.ops.stack(each, axis=1), (1, 0, 2)) for each in ends]
    return [_split_directions(tensor, node) if attributes["apart"] else OrderedTensor(tensor, order), *states]


def _split_directions(tensor: Any, node: ForeignNode) -> OrderedTensor:
    """Return the sequences in ONNX's layout, (time, directions, batch, units)."""
    directions = len(node.attributes["weights"][0])
    _, time, features = tensor.shape
    shape = (-1 if time is None else time, directions, features // directions)
    return OrderedTensor(keras.layers.Reshape(shape)(tensor), (2, 0, 1, 3))


def _initial_states(builder: Builder, states: Sequence[Operand], kinds: int) -> list[Any]:
    """Return the computed initial states, each (batch, layers · directions, units); empty if they are zeros."""
    given_states = [builder.operand(each) for each in states]
    given_states = [each for each in given_states if not _is_zero(each)]
    if not given_states:
        return []
    if len(given_states) != kinds or not all(isinstance(each, OrderedTensor) for each in given_states):
        raise UnsupportedNodeError("its initial states are constants, or some of them are missing")
    return [builder.in_order(each, (1, 0, 2)) for each in given_states]


def _is_zero(value: Any) -> bool:
    if isinstance(value, UniformArray):
        return value.value == 0
    array = value.value if isinstance(value, Weight) and not value.trainable else value
    return value is None or (isinstance(array, np.ndarray) and not array.any())


def _layer(
    builder: Builder,
    node: ForeignNode,
    directions: Sequence[Sequence[Operand]],
    tensor: Any,
    initial_states: Sequence[Any],
) -> Sequence[Any]:
    """Return the sequences and the final states, the forward ones first."""
    cell = str(node.attributes["cell"])
    weights = [pair for way in directions for pair in _weights(builder, cell, way)]
    config = _config(builder, cell, directions[0])
    call = {"initial_state": list(initial_states)} if initial_states else {}
    if len(directions) == 1:
        return list(builder.layer(_layer_class(cell), tensor, weights, call=call, **config))
    inner = _layer_class(cell)(**config)
    return list(builder.layer(keras.layers.Bidirectional, tensor, weights, call=call, layer=inner))


def _layer_class(cell: str) -> type[keras.layers.Layer]:
    layer_class: type[keras.layers.Layer] = _CELLS.get(cell, keras.layers.SimpleRNN)
    return layer_class


def _config(builder: Builder, cell: str, way: Sequence[Operand]) -> dict[str, Any]:
    recurrent = builder.array(way[1])
    assert recurrent is not None
    activation = {"activation": _ACTIVATIONS[cell]} if cell in _ACTIVATIONS else {}
    options = {"units": int(recurrent.shape[1]), "use_bias": way[2] is not None, **activation}
    return {**options, "return_sequences": True, "return_state": True}


def _weights(builder: Builder, cell: str, way: Sequence[Operand]) -> list[tuple[Operand, np.ndarray]]:
    """Return the weights of one direction in Keras' layout."""
    arrays = [builder.array(each) for each in way]
    kernel, recurrent, first, second = (None if each is None else _gates(cell, each) for each in arrays)
    assert kernel is not None
    assert recurrent is not None
    kernels = [(way[0], kernel.T), (way[1], recurrent.T)]
    if first is not None and second is not None:
        if cell != "gru" and builder.trains(way[2]):
            builder.note_training("PyTorch moves two biases of an LSTM or RNN where Keras moves one, half as far")
        # Keras has one bias where PyTorch adds two; but for a GRU it has both.
        kernels.append((way[2], np.stack([first, second]) if cell == "gru" else first + second))
    return kernels


def _gates(cell: str, weights: np.ndarray) -> np.ndarray:
    """Reorder the gates on the first axis. A GRU has reset, update, new here, and update, reset, new in Keras."""
    if cell != "gru":
        return weights
    reset, update, new = np.split(weights, 3)
    return np.concatenate([update, reset, new])


RECURRENT: dict[str, Handler] = {"recurrent": _recurrent}
