"""What Keras' recurrent layers, wrappers and attention layers become in the graph."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import keras

from ...graph.graph import Reference, Spec, Value
from .activations import activation_of
from .calls import Call, is_graph
from .reader import Reader, Reading, UnreadableError, specs_of
from .shared import floats

# --- recurrent ------------------------------------------------------------------------------------------------------

_KINDS = {"LSTM": "lstm", "GRU": "gru", "SimpleRNN": "simple_rnn"}


def _recurrent(reading: Reading, call: Call) -> Sequence[Reference]:
    value = floats(reading, replace(call, arguments={"sequences": _sequences(call)}))
    states = _initial_states(call)
    config, weights = _cell(call.operation)
    return reading.add(call, _kind(call.operation), [value, *states], config=config, weights=weights)


def _sequences(call: Call) -> Reference:
    if call.arguments.get("mask") is not None:
        raise UnreadableError("is called with a mask")
    value = call.arguments["sequences"]
    if not isinstance(value, Reference):
        raise UnreadableError("is called with something other than one array")
    return value


def _initial_states(call: Call) -> list[Reference]:
    states = keras.tree.flatten(call.arguments.get("initial_state"))
    found = [state for state in states if state is not None]
    if not all(isinstance(state, Reference) for state in found):
        raise UnreadableError("its initial state is written into the model")
    return found


def _kind(layer: Any) -> str:
    name = type(layer).__name__
    if name not in _KINDS or type(layer) is not getattr(keras.layers, name):
        raise UnreadableError(f"{name} is not covered as a recurrent layer")
    return _KINDS[name]


def _cell(layer: Any) -> tuple[dict[str, Value], dict[str, Any]]:
    """The configuration and the weights of a recurrent layer."""
    if layer.stateful:
        raise UnreadableError("stateful: what it remembers from batch to batch is not covered")
    cell = layer.cell
    config: dict[str, Value] = {
        "units": layer.units,
        "activation": _plain_activation(layer.activation),
        "go_backwards": bool(layer.go_backwards),
        "return_sequences": bool(layer.return_sequences),
        "return_state": bool(layer.return_state),
        "dropout": float(layer.dropout or 0),
        "recurrent_dropout": float(layer.recurrent_dropout or 0),
    }
    if hasattr(layer, "recurrent_activation"):
        config["recurrent_activation"] = _plain_activation(layer.recurrent_activation)
    if hasattr(layer, "reset_after"):
        config["reset_after"] = bool(layer.reset_after)
    return config, {"kernel": cell.kernel, "recurrent_kernel": cell.recurrent_kernel, "bias": cell.bias}


def _plain_activation(function: Any) -> str:
    found = activation_of(function, 2)
    if found is None:
        raise UnreadableError(f"its activation {getattr(function, '__name__', function)} is not one of Keras'")
    return found[0]


# --- in both directions ---------------------------------------------------------------------------------------------

_MERGES = {"sum": "add", "ave": "average", "mul": "multiply", "concat": "concatenate"}


def _bidirectional(reading: Reading, call: Call) -> Sequence[Reference]:
    wrapper = call.operation
    value = floats(reading, replace(call, arguments={"sequences": _sequences(call)}))
    states = _initial_states(call)
    half = len(states) // 2
    ways = []
    for role, layer, given in (
        ("forward", wrapper.forward_layer, states[:half]),
        ("backward", wrapper.backward_layer, states[half:]),
    ):
        config, weights = _cell(layer)
        outputs = _outputs_of(layer, reading.spec(value))
        ways.append(
            reading.add(
                *(call, _kind(layer), [value, *given]),
                config=config,
                weights=weights,
                role=role,
                outputs=outputs,
            )
        )
    (forward, *after), (backward, *after_backward) = ways
    if wrapper.return_sequences:
        spec = reading.spec(backward)
        (backward,) = reading.add(call, "flip", [backward], config={"axis": (1,)}, role="in_order", outputs=[spec])
    return [*_merged(reading, call, forward, backward), *after, *after_backward]


def _outputs_of(layer: Any, sequences: Spec) -> list[Spec]:
    batch, time, _ = sequences.shape
    last = Spec((batch, layer.units), sequences.dtype)
    first = Spec((batch, time, layer.units), sequences.dtype) if layer.return_sequences else last
    return [first, *([last] * len(layer.state_size) if layer.return_state else [])]


def _merged(reading: Reading, call: Call, forward: Reference, backward: Reference) -> Sequence[Reference]:
    mode = call.operation.merge_mode
    if mode is None:
        return [forward, backward]
    config: dict[str, Value] = {"axis": reading.spec(forward).rank - 1} if mode == "concat" else {}
    outputs = specs_of(call)[:1]
    return reading.add(call, _MERGES[mode], [forward, backward], config=config, role="merged", outputs=outputs)


# --- over time ------------------------------------------------------------------------------------------------------

# In these the steps of a sequence are not independent samples.
_NOT_STEP_BY_STEP = ("BatchNormalization", "Dropout", "GaussianNoise", "GaussianDropout")


def _time_distributed(reading: Reading, call: Call) -> Sequence[Reference]:
    value, inner = floats(reading, call), call.operation.layer
    spec, (result,) = reading.spec(value), specs_of(call)
    if type(inner) is keras.layers.Dense:
        # A dense layer works on the last axis, whatever is before it.
        return reading.call(Call(inner, {"inputs": value}, call.outputs))
    if type(inner).__name__ in _NOT_STEP_BY_STEP or is_graph(inner):
        raise UnreadableError(f"{type(inner).__name__} in TimeDistributed is not covered")
    folded_spec = Spec((None, *spec.shape[2:]), spec.dtype)
    (folded,) = reading.add(call, "fold_time", [value], role="fold", outputs=[folded_spec])
    outputs = [keras.KerasTensor((None, *result.shape[2:]), result.dtype)]
    (computed,) = reading.call(Call(inner, {"inputs": folded}, outputs))
    return reading.add(call, "unfold_time", [computed, value], role="unfold", outputs=[result])


# --- attention ------------------------------------------------------------------------------------------------------


def _multi_head_attention(reading: Reading, call: Call) -> Sequence[Reference]:
    layer = call.operation
    _only_plain_attention(layer, call)
    if isinstance(layer.attention_axes, (list, tuple)) and tuple(layer.attention_axes) != (1,):
        raise UnreadableError("attention over other axes than the second is not covered")
    config: dict[str, Value] = {
        "num_heads": layer.num_heads,
        "num_key_value_heads": layer.num_heads,
        "key_dim": layer.key_dim,
        "value_dim": layer.value_dim,
        "dropout": float(layer.dropout),
    }
    return _attend(reading, call, config)


def _grouped_query_attention(reading: Reading, call: Call) -> Sequence[Reference]:
    layer = call.operation
    _only_plain_attention(layer, call)
    config: dict[str, Value] = {
        "num_heads": layer.num_query_heads,
        "num_key_value_heads": layer.num_key_value_heads,
        "key_dim": layer.head_dim,
        "value_dim": layer.head_dim,
        "dropout": float(layer.dropout),
    }
    return _attend(reading, call, config)


def _only_plain_attention(layer: Any, call: Call) -> None:
    config = layer.get_config()
    if config.get("use_gate") or config.get("sliding_window"):
        raise UnreadableError("a gate or a sliding window is not covered")
    if any(call.arguments.get(f"{part}_mask") is not None for part in ("query", "value", "key")):
        raise UnreadableError("is called with masks of its inputs")


def _attend(reading: Reading, call: Call, config: Mapping[str, Value]) -> Sequence[Reference]:
    given = call.arguments
    value = given["value"]
    mask = given.get("attention_mask")
    inputs = [given["query"], value, value if given.get("key") is None else given["key"]]
    inputs = [
        floats(reading, replace(call, arguments={"inputs": one}))
        for one in inputs
    ]  # fmt: skip
    if any(reading.spec(one).rank != 3 for one in inputs):
        raise UnreadableError("attention in more than one axis is not covered")
    arguments: dict[str, Value] = {
        "masked": mask is not None,
        "causal": bool(given.get("use_causal_mask")),
        "return_scores": bool(given.get("return_attention_scores")),
    }
    if mask is not None:
        if not isinstance(mask, Reference) or reading.spec(mask).rank != 3:
            raise UnreadableError("its attention mask is not an array (batch, T, S) that the model computes")
        inputs.append(reading.cast(call, mask, "bool", "mask"))
    return reading.add(
        *(call, "multi_head_attention", inputs),
        config=config,
        weights=_attention_weights(call.operation),
        arguments=arguments,
    )


def _attention_weights(layer: Any) -> dict[str, Any]:
    """The weights by their paths, which end in `query/kernel`, …, `attention_output/bias`."""
    found = {}
    for variable in layer.weights:
        *_, part, name = variable.path.split("/")
        if name in ("kernel", "bias"):
            found[f"{part.removeprefix('attention_')}_{name}"] = variable
    return found


def _attention(reading: Reading, call: Call) -> Sequence[Reference]:
    layer, given = call.operation, call.arguments
    if given.get("mask") is not None:
        raise UnreadableError("is called with a mask")
    query, value, *rest = given["inputs"]
    inputs = [
        floats(reading, replace(call, arguments={"inputs": one})) for one in (query, value, rest[0] if rest else value)
    ]
    if any(reading.spec(one).rank != 3 for one in inputs):
        raise UnreadableError("attention in more than one axis is not covered")
    additive = type(layer) is keras.layers.AdditiveAttention
    config: dict[str, Value] = {
        "score_mode": "additive" if additive else layer.score_mode,
        "dropout": float(layer.dropout),
    }
    arguments: dict[str, Value] = {
        "causal": bool(given.get("use_causal_mask")),
        "return_scores": bool(given.get("return_attention_scores")),
    }
    weights = {"scale": layer.scale, "concat_score_weight": getattr(layer, "concat_score_weight", None)}
    return reading.add(call, "attention", inputs, config=config, weights=weights, arguments=arguments)


WRAPPERS: dict[str, Reader] = {
    **dict.fromkeys(_KINDS, _recurrent),
    "Bidirectional": _bidirectional,
    "TimeDistributed": _time_distributed,
    "MultiHeadAttention": _multi_head_attention,
    "GroupQueryAttention": _grouped_query_attention,
    "Attention": _attention,
    "AdditiveAttention": _attention,
}
