"""Keras' recurrent layers for recurrent nodes: see `recurrent_form.py` for what such a node says."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from .builder import Builder, Handler, Held, RefusedError
from .constant_folding import Filled
from .foreign_graph import Node, Operand, Weight

_CELLS = {"lstm": keras.layers.LSTM, "gru": keras.layers.GRU}
_ACTIVATIONS = {"rnn_tanh": "tanh", "rnn_relu": "relu"}


def _recurrent(builder: Builder, node: Node) -> Sequence[Held]:
    """Layers on top of each other; the states after each direction of each, one stack a kind of state."""
    x, attributes = builder.held(node.inputs[0]), node.attributes
    if x.rank != 3:
        raise RefusedError("a sequence alone: give it an axis for the samples")
    order = (0, 1, 2) if attributes["batch_first"] else (1, 0, 2)
    tensor = builder.arranged(x, order)
    kinds = 2 if attributes["cell"] == "lstm" else 1
    starts = _starts(builder, node.inputs[1:], kinds)
    ends: list[list[Any]] = [[] for _ in range(kinds)]
    for number, directions in enumerate(attributes["weights"]):
        if number and attributes["dropout"]:
            tensor = keras.layers.Dropout(attributes["dropout"])(tensor)
        at = number * len(directions)
        given = [state[:, at + way] for way in range(len(directions)) for state in starts]
        tensor, *after = _layer(builder, node, directions, tensor, given)
        for place, state in enumerate(after):
            ends[place % kinds].append(state)
    states = [Held(keras.ops.stack(each, axis=1), (1, 0, 2)) for each in ends]
    return [_apart(tensor, node) if attributes["apart"] else Held(tensor, order), *states]


def _apart(tensor: Any, node: Node) -> Held:
    """The sequences as ONNX has them, (time, directions, batch, units)."""
    directions = len(node.attributes["weights"][0])
    _, time, features = tensor.shape
    shape = (-1 if time is None else time, directions, features // directions)
    return Held(keras.layers.Reshape(shape)(tensor), (2, 0, 1, 3))


def _starts(builder: Builder, states: Sequence[Operand], kinds: int) -> list[Any]:
    """The initial states that are computed, (batch, layers · directions, units) each; none where they are zeros."""
    found = [builder.operand(each) for each in states]
    found = [each for each in found if not _is_zero(each)]
    if not found:
        return []
    if len(found) != kinds or not all(isinstance(each, Held) for each in found):
        raise RefusedError("its initial states are constants, or only some of them are given")
    return [builder.arranged(each, (1, 0, 2)) for each in found]


def _is_zero(value: Any) -> bool:
    if isinstance(value, Filled):
        return value.value == 0
    array = value.value if isinstance(value, Weight) and not value.trainable else value
    return value is None or (isinstance(array, np.ndarray) and not array.any())


def _layer(
    builder: Builder, node: Node, directions: Sequence[Sequence[Operand]], tensor: Any, given: Sequence[Any]
) -> Sequence[Any]:
    """The sequence and the states after it, those of the one direction before those of the other."""
    cell = str(node.attributes["cell"])
    weights = [pair for way in directions for pair in _weights(builder, cell, way)]
    config = _config(builder, cell, directions[0])
    call = {"initial_state": list(given)} if given else {}
    if len(directions) == 1:
        return list(builder.layer(_class(cell), tensor, weights, call=call, **config))
    inner = _class(cell)(**config)
    return list(builder.layer(keras.layers.Bidirectional, tensor, weights, call=call, layer=inner))


def _class(cell: str) -> type[keras.layers.Layer]:
    made: type[keras.layers.Layer] = _CELLS.get(cell, keras.layers.SimpleRNN)
    return made


def _config(builder: Builder, cell: str, way: Sequence[Operand]) -> dict[str, Any]:
    recurrent = builder.array(way[1])
    assert recurrent is not None
    activation = {"activation": _ACTIVATIONS[cell]} if cell in _ACTIVATIONS else {}
    options = {"units": int(recurrent.shape[1]), "use_bias": way[2] is not None, **activation}
    return {**options, "return_sequences": True, "return_state": True}


def _weights(builder: Builder, cell: str, way: Sequence[Operand]) -> list[tuple[Operand, np.ndarray]]:
    """The weights of one direction in Keras' layout."""
    arrays = [builder.array(each) for each in way]
    kernel, recurrent, first, second = (None if each is None else _gates(cell, each) for each in arrays)
    assert kernel is not None
    assert recurrent is not None
    made = [(way[0], kernel.T), (way[1], recurrent.T)]
    if first is not None and second is not None:
        # Keras has one bias where PyTorch adds two; of a GRU both.
        made.append((way[2], np.stack([first, second]) if cell == "gru" else first + second))
    return made


def _gates(cell: str, weights: np.ndarray) -> np.ndarray:
    """Along the first axis: a GRU's are reset, update, new here, and update, reset, new in Keras."""
    if cell != "gru":
        return weights
    reset, update, new = np.split(weights, 3)
    return np.concatenate([update, reset, new])


RECURRENT: dict[str, Handler] = {"recurrent": _recurrent}
