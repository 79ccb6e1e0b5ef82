"""Readers of Keras' recurrent layers, wrappers and attention layers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import keras

from ...graph.graph import ArrayReference, ConfigValue, Spec
from .activations import activation_of
from .calls import LayerCall, is_layer_graph
from .reader import GraphReader, LayerReader, UnreadableError, specs_of
from .shared import expand_dims, float32_input

# --- recurrent ------------------------------------------------------------------------------------------------------

_LAYERS = ("LSTM", "GRU", "SimpleRNN", "RNN")
_KINDS = {"LSTMCell": "lstm", "GRUCell": "gru", "SimpleRNNCell": "simple_rnn"}


def _recurrent(reader: GraphReader, call: LayerCall) -> Sequence[ArrayReference]:
    if isinstance(call.operation.cell, keras.layers.StackedRNNCells):
        return _stacked(reader, call)
    value, *mask = sequences_and_mask(reader, call)
    states = initial_states(call)
    kind, config, weights = _cell(call.operation)
    arguments: dict[str, ConfigValue] = {"masked": bool(mask)}
    inputs = [value, *mask, *states]
    results = reader.add(call, kind, inputs, config=config, weights=weights, arguments=arguments)
    return [*_zeroed(reader, call, call.operation, results[0], mask, ""), *results[1:]]


def _stacked(reader: GraphReader, call: LayerCall) -> Sequence[ArrayReference]:
    """Read a layer of stacked cells as one layer for each cell, of which all but the last return their sequences."""
    layer = call.operation
    value, *mask = sequences_and_mask(reader, call)
    states, final_states = initial_states(call), []
    for number, cell in enumerate(layer.cell.cells):
        is_last = number == len(layer.cell.cells) - 1
        kind, config, weights = _cell(layer, cell)
        config["go_backwards"] = bool(layer.go_backwards) and number == 0
        config["return_sequences"] = bool(layer.return_sequences) or not is_last
        count = len(keras.tree.flatten(cell.state_size))
        own, states = states[:count], states[count:]
        value, *final = reader.add(
            *(call, kind, [value, *mask, *own]),
            config=config,
            weights=weights,
            role=f"cell_{number}",
            outputs=_outputs_of(reader.spec(value), config, count),
            arguments={"masked": bool(mask)},
        )
        if mask and layer.go_backwards and not is_last:
            raise UnreadableError("stacked cells that go backwards over what has a mask are not covered")
        final_states += final
    return [*_zeroed(reader, call, layer, value, mask, ""), *final_states]


def _zeroed(
    reader: GraphReader, call: LayerCall, layer: Any, result: ArrayReference, mask: Sequence[ArrayReference], role: str
) -> list[ArrayReference]:
    """Return a layer's outputs, with zeros where the mask leaves a step out if the layer is set so."""
    if not mask or not layer.zero_output_for_mask:
        return [result]
    if not layer.return_sequences:
        raise UnreadableError("zero_output_for_mask without return_sequences is not covered")
    (steps,) = mask
    if layer.go_backwards:
        outputs = [reader.spec(steps)]
        (steps,) = reader.add(call, "flip", [steps], config={"axis": (1,)}, role=f"{role}mask_flip", outputs=outputs)
    steps = expand_dims(reader, call, steps, 2, f"{role}mask_axis")
    outputs = [reader.spec(result)]
    return [*reader.add(call, "where", [steps, result, 0.0], role=f"{role}zeros", outputs=outputs)]


def sequences_and_mask(reader: GraphReader, call: LayerCall) -> list[ArrayReference]:
    """Return the sequences that a layer is called with, and their mask if there is one.

    Raises:
        UnreadableError: one of them is no array.
    """
    value, mask = call.arguments["sequences"], call.arguments.get("mask")
    if not isinstance(value, ArrayReference):
        raise UnreadableError("is called with something other than one array")
    sequences = float32_input(reader, replace(call, arguments={"sequences": value}))
    if mask is None:
        return [sequences]
    if not isinstance(mask, ArrayReference) or reader.spec(mask).rank != 2:
        raise UnreadableError("its mask is not an array of shape (batch, time) that the model computes")
    return [sequences, reader.cast(call, mask, "bool", "mask")]


def initial_states(call: LayerCall) -> list[ArrayReference]:
    """Return the arrays that a recurrent layer begins with, none if it begins with zeros.

    Raises:
        UnreadableError: one is a constant.
    """
    states = keras.tree.flatten(call.arguments.get("initial_state"))
    present = [state for state in states if state is not None]
    if not all(isinstance(state, ArrayReference) for state in present):
        raise UnreadableError("its initial state is a constant, which is not covered")
    return present


def require_stateless(layer: Any) -> None:
    """Raise an UnreadableError for a recurrent layer that remembers the batch before."""
    if layer.stateful:
        raise UnreadableError("stateful: a state that is carried from batch to batch is not covered")


def _kind(layer: Any, cell: Any) -> str:
    """Return the kind of a cell of a recurrent layer."""
    for owner, names in ((layer, _LAYERS), (cell, tuple(_KINDS))):
        name = type(owner).__name__
        if name not in names or type(owner) is not getattr(keras.layers, name):
            raise UnreadableError(f"{name} is not covered as a recurrent layer or a cell of one")
    return _KINDS[type(cell).__name__]


def _cell(layer: Any, cell: Any = None) -> tuple[str, dict[str, ConfigValue], dict[str, Any]]:
    """Return the kind, the configuration and the weights of a recurrent layer, or of one of its cells."""
    require_stateless(layer)
    cell = layer.cell if cell is None else cell
    kind = _kind(layer, cell)
    config: dict[str, ConfigValue] = {
        "units": cell.units,
        "activation": plain_activation(cell.activation),
        "go_backwards": bool(layer.go_backwards),
        "return_sequences": bool(layer.return_sequences),
        "return_state": bool(layer.return_state),
        "dropout": float(cell.dropout or 0),
        "recurrent_dropout": float(cell.recurrent_dropout or 0),
    }
    if hasattr(cell, "recurrent_activation"):
        config["recurrent_activation"] = plain_activation(cell.recurrent_activation)
    if hasattr(cell, "reset_after"):
        config["reset_after"] = bool(cell.reset_after)
    return kind, config, {"kernel": cell.kernel, "recurrent_kernel": cell.recurrent_kernel, "bias": cell.bias}


def plain_activation(function: Any) -> str:
    """Return the kind of an activation inside of a cell.

    Raises:
        UnreadableError: it is none of Keras'.
    """
    kind_and_config = activation_of(function, 2)
    if kind_and_config is None:
        raise UnreadableError(f"its activation {getattr(function, '__name__', function)} is not one of Keras'")
    return kind_and_config[0]


# --- in both directions ---------------------------------------------------------------------------------------------

_MERGES = {"sum": "add", "ave": "average", "mul": "multiply", "concat": "concatenate"}


def _bidirectional(reader: GraphReader, call: LayerCall) -> Sequence[ArrayReference]:
    wrapper = call.operation
    value, *mask = sequences_and_mask(reader, call)
    states = initial_states(call)
    half = len(states) // 2
    directions = []
    for role, layer, own_states in (
        ("forward", wrapper.forward_layer, states[:half]),
        ("backward", wrapper.backward_layer, states[half:]),
    ):
        kind, config, weights = _cell(layer)
        outputs = _outputs_of(reader.spec(value), config, len(keras.tree.flatten(layer.cell.state_size)))
        results = reader.add(
            *(call, kind, [value, *mask, *own_states]),
            config=config,
            weights=weights,
            role=role,
            outputs=outputs,
            arguments={"masked": bool(mask)},
        )
        directions.append([*_zeroed(reader, call, layer, results[0], mask, f"{role}_"), *results[1:]])
    (forward, *forward_states), (backward, *backward_states) = directions
    if wrapper.return_sequences:
        spec = reader.spec(backward)
        (backward,) = reader.add(call, "flip", [backward], config={"axis": (1,)}, role="in_order", outputs=[spec])
    return [*_merge(reader, call, forward, backward), *forward_states, *backward_states]


def _outputs_of(sequences: Spec, config: Mapping[str, Any], states: int) -> list[Spec]:
    """Return the specs of what a recurrent layer of this configuration and number of states returns."""
    batch, time, _ = sequences.shape
    last = Spec((batch, config["units"]), sequences.dtype)
    first = Spec((batch, time, config["units"]), sequences.dtype) if config["return_sequences"] else last
    return [first, *([last] * states if config["return_state"] else [])]


def _merge(
    reader: GraphReader, call: LayerCall, forward: ArrayReference, backward: ArrayReference
) -> Sequence[ArrayReference]:
    mode = call.operation.merge_mode
    if mode is None:
        return [forward, backward]
    config: dict[str, ConfigValue] = {"axis": reader.spec(forward).rank - 1} if mode == "concat" else {}
    outputs = specs_of(call)[:1]
    return reader.add(call, _MERGES[mode], [forward, backward], config=config, role="merged", outputs=outputs)


# --- over time ------------------------------------------------------------------------------------------------------

# These do not treat the steps of a sequence as independent samples.
_NOT_PER_STEP = ("BatchNormalization", "Dropout", "GaussianNoise", "GaussianDropout", "AlphaDropout")


def _time_distributed(reader: GraphReader, call: LayerCall) -> Sequence[ArrayReference]:
    value, inner = float32_input(reader, call), call.operation.layer
    spec, (result,) = reader.spec(value), specs_of(call)
    if type(inner) is keras.layers.Dense:
        # A dense layer works on the last axis, so it needs no folding.
        return reader.call(LayerCall(inner, {"inputs": value}, call.outputs))
    if type(inner).__name__ in _NOT_PER_STEP or is_layer_graph(inner):
        raise UnreadableError(f"{type(inner).__name__} in TimeDistributed is not covered")
    folded_spec = Spec((None, *spec.shape[2:]), spec.dtype)
    (folded,) = reader.add(call, "fold_time", [value], role="fold", outputs=[folded_spec])
    outputs = [keras.KerasTensor((None, *result.shape[2:]), result.dtype)]
    (computed,) = reader.call(LayerCall(inner, {"inputs": folded}, outputs))
    return reader.add(call, "unfold_time", [computed, value], role="unfold", outputs=[result])


# --- attention ------------------------------------------------------------------------------------------------------


def _multi_head_attention(reader: GraphReader, call: LayerCall) -> Sequence[ArrayReference]:
    layer = call.operation
    _require_plain_attention(reader, layer, call)
    if isinstance(layer.attention_axes, (list, tuple)) and tuple(layer.attention_axes) != (1,):
        raise UnreadableError("attention over other axes than the second is not covered")
    config: dict[str, ConfigValue] = {
        "num_heads": layer.num_heads,
        "num_key_value_heads": layer.num_heads,
        "key_dim": layer.key_dim,
        "value_dim": layer.value_dim,
        "dropout": float(layer.dropout),
    }
    return _add_attention(reader, call, config)


def _grouped_query_attention(reader: GraphReader, call: LayerCall) -> Sequence[ArrayReference]:
    layer = call.operation
    _require_plain_attention(reader, layer, call)
    config: dict[str, ConfigValue] = {
        "num_heads": layer.num_query_heads,
        "num_key_value_heads": layer.num_key_value_heads,
        "key_dim": layer.head_dim,
        "value_dim": layer.head_dim,
        "dropout": float(layer.dropout),
    }
    return _add_attention(reader, call, config)


def _require_plain_attention(reader: GraphReader, layer: Any, call: LayerCall) -> None:
    arrays = [call.arguments.get(name) for name in ("query", "value", "key")]
    masks = [call.arguments.get(f"{name}_mask") for name in ("query", "value", "key")]
    # Keras takes the masks off what a layer attends to, so that the order of calls decides which of them see masks.
    if any(reader.is_masked(array) for array in arrays if array is not None) or masks != [None] * 3:
        raise UnreadableError("attends to what has a mask (mask_zero or Masking): call it with attention_mask instead")
    config = layer.get_config()
    if config.get("use_gate") or config.get("sliding_window"):
        raise UnreadableError("a gate or a sliding window is not covered")


def _add_attention(reader: GraphReader, call: LayerCall, config: Mapping[str, ConfigValue]) -> Sequence[ArrayReference]:
    call_arguments = call.arguments
    value = call_arguments["value"]
    mask = call_arguments.get("attention_mask")
    inputs = [call_arguments["query"], value, value if call_arguments.get("key") is None else call_arguments["key"]]
    inputs = [
        float32_input(reader, replace(call, arguments={"inputs": array}))
        for array in inputs
    ]  # fmt: skip
    if any(reader.spec(array).rank != 3 for array in inputs):
        raise UnreadableError("attention in more than one axis is not covered")
    arguments: dict[str, ConfigValue] = {
        "masked": mask is not None,
        "causal": bool(call_arguments.get("use_causal_mask")),
        "return_scores": bool(call_arguments.get("return_attention_scores")),
    }
    if mask is not None:
        if not isinstance(mask, ArrayReference) or reader.spec(mask).rank != 3:
            raise UnreadableError("its attention mask is not an array of shape (batch, T, S) that the model computes")
        inputs.append(reader.cast(call, mask, "bool", "mask"))
    return reader.add(
        *(call, "multi_head_attention", inputs),
        config=config,
        weights=_attention_weights(call.operation),
        arguments=arguments,
    )


def _attention_weights(layer: Any) -> dict[str, Any]:
    """Return the weights, named after the ends of their paths: `query/kernel`, …, `attention_output/bias`."""
    weights = {}
    for variable in layer.weights:
        *_, part, name = variable.path.split("/")
        if name in ("kernel", "bias"):
            weights[f"{part.removeprefix('attention_')}_{name}"] = variable
    return weights


def _attention(reader: GraphReader, call: LayerCall) -> Sequence[ArrayReference]:
    layer, call_arguments = call.operation, call.arguments
    if call_arguments.get("mask") is not None:
        raise UnreadableError("is called with a mask")
    query, value, *rest = call_arguments["inputs"]
    inputs = [
        float32_input(reader, replace(call, arguments={"inputs": array}))
        for array in (query, value, rest[0] if rest else value)
    ]
    if any(reader.spec(array).rank != 3 for array in inputs):
        raise UnreadableError("attention in more than one axis is not covered")
    additive = type(layer) is keras.layers.AdditiveAttention
    config: dict[str, ConfigValue] = {
        "score_mode": "additive" if additive else layer.score_mode,
        "dropout": float(layer.dropout),
    }
    arguments: dict[str, ConfigValue] = {
        "causal": bool(call_arguments.get("use_causal_mask")),
        "return_scores": bool(call_arguments.get("return_attention_scores")),
    }
    weights = {"scale": layer.scale, "concat_score_weight": getattr(layer, "concat_score_weight", None)}
    return reader.add(call, "attention", inputs, config=config, weights=weights, arguments=arguments)


WRAPPERS: dict[str, LayerReader] = {
    **dict.fromkeys(_LAYERS, _recurrent),
    "Bidirectional": _bidirectional,
    "TimeDistributed": _time_distributed,
    "MultiHeadAttention": _multi_head_attention,
    "GroupQueryAttention": _grouped_query_attention,
    "Attention": _attention,
    "AdditiveAttention": _attention,
}
