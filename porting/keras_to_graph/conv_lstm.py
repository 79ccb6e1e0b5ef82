"""Reader of Keras' convolutional LSTMs: a convolution of all inputs at once, and the recurrence over its results."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...graph.graph import ArrayReference, ConfigValue, Spec
from .calls import LayerCall
from .reader import GraphReader, UnreadableError, specs_of
from .shared import to_tuple
from .wrappers import initial_states, plain_activation, require_stateless, sequences_and_mask


def read_conv_lstm(reader: GraphReader, call: LayerCall) -> Sequence[ArrayReference]:
    """Read the call of a `ConvLSTM1D`, `ConvLSTM2D` or `ConvLSTM3D`."""
    layer = call.operation
    _require_plain(layer)
    value, *mask = sequences_and_mask(reader, call)
    if mask:
        raise UnreadableError("a mask over the steps of a convolutional LSTM is not covered")
    gates = _gates(reader, call, value)
    config: dict[str, ConfigValue] = {
        "activation": plain_activation(layer.cell.activation),
        "recurrent_activation": plain_activation(layer.cell.recurrent_activation),
        "go_backwards": bool(layer.go_backwards),
        "return_sequences": bool(layer.return_sequences),
        "return_state": bool(layer.return_state),
    }
    weights = {"recurrent_kernel": layer.cell.recurrent_kernel, "bias": layer.cell.bias}
    return reader.add(call, "conv_lstm", [gates, *initial_states(call)], config=config, weights=weights)


def _gates(reader: GraphReader, call: LayerCall, value: ArrayReference) -> ArrayReference:
    """Add the convolution of all steps of the inputs, as if they were one large batch."""
    cell, spec, result = call.operation.cell, reader.spec(value), specs_of(call)[0]
    rank, channels = cell.rank, 4 * cell.filters
    lengths = result.shape[-rank - 1 : -1]
    folded_spec = Spec((None, *spec.shape[2:]), spec.dtype)
    (folded,) = reader.add(call, "fold_time", [value], role="fold", outputs=[folded_spec])
    (convolved,) = reader.add(
        *(call, "conv", [folded]),
        config={
            "rank": rank,
            "strides": to_tuple(cell.strides),
            "padding": cell.padding,
            "dilation": to_tuple(cell.dilation_rate),
            "groups": 1,
        },
        weights={"kernel": cell.kernel},
        role="input",
        outputs=[Spec((None, *lengths, channels), spec.dtype)],
    )
    outputs = [Spec((*spec.shape[:2], *lengths, channels), spec.dtype)]
    (gates,) = reader.add(call, "unfold_time", [convolved, value], role="unfold", outputs=outputs)
    return gates


def _require_plain(layer: Any) -> None:
    require_stateless(layer)
    if layer.cell.data_format != "channels_last":
        raise UnreadableError("channels_first in a convolutional LSTM is not covered")
    if layer.cell.dropout or layer.cell.recurrent_dropout:
        raise UnreadableError("dropout inside of a convolutional LSTM is not covered")


CONVOLUTIONAL_LSTMS = dict.fromkeys(("ConvLSTM1D", "ConvLSTM2D", "ConvLSTM3D"), read_conv_lstm)
