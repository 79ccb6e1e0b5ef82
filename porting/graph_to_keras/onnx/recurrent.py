"""Translations of ONNX's recurrent operators, whose gates are reordered to PyTorch's order of `recurrent_form.py`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from ..foreign_graph import ForeignNode
from .call import OnnxCall
from .translation import unsupported

# The index of each of PyTorch's gates in ONNX's order: input, output, forget, cell; update, reset, new.
_GATES = {"LSTM": (0, 2, 3, 1), "GRU": (1, 0, 2), "RNN": (0,)}
_CELLS = {"LSTM": "lstm", "GRU": "gru", "RNN": "rnn_tanh"}
_DEFAULT_ACTIVATIONS: dict[str, tuple[str, ...]] = {
    "LSTM": ("Sigmoid", "Tanh", "Tanh"),
    "GRU": ("Sigmoid", "Tanh"),
    "RNN": ("Tanh",),
}


def _recurrent(call: OnnxCall) -> Iterator[ForeignNode]:
    _require_supported(call)
    kernel, recurrent, bias = (call.constant(call[place]) for place in (1, 2, 3))
    if kernel is None or recurrent is None or (call[3] is not None and bias is None):
        raise unsupported(call, "a weight that is computed")
    directions = []
    for way in range(len(kernel)):
        parts = [_in_torch_order(call.operator, each[way]) for each in (kernel, recurrent)]
        if bias is not None:
            parts += [_in_torch_order(call.operator, half) for half in np.split(bias[way], 2)]
        base = call[1].name if call[1] else ""
        names = (f"{base}/{name}_{way}" for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"))
        weights = [call.add_weight(name, part) for name, part in zip(names, parts, strict=False)]
        directions.append((*weights, *(None,) * (4 - len(weights))))
    states = tuple(call[place] for place in ((5, 6) if call.operator == "LSTM" else (5,)))
    outputs = tuple(name or f"{call.outputs[0]}_{place}" for place, name in enumerate(_output_names(call)))
    yield ForeignNode(
        "recurrent",
        (call[0], *states),
        outputs,
        {
            "cell": _cell(call),
            "weights": (tuple(directions),),
            "batch_first": False,
            "dropout": 0.0,
            "apart": True,
        },
        call.operator,
    )


def _output_names(call: OnnxCall) -> tuple[str, ...]:
    return (*call.outputs, "", "")[:3]


def _cell(call: OnnxCall) -> str:
    relu = call.operator == "RNN" and _activations(call)[0] == "Relu"
    return "rnn_relu" if relu else _CELLS[call.operator]


def _activations(call: OnnxCall) -> tuple[str, ...]:
    return tuple(call.get("activations", ())) or _DEFAULT_ACTIVATIONS[call.operator]


def _require_supported(call: OnnxCall) -> None:
    """Raise a PortError for an option of a recurrent operator that Keras' layers do not have."""
    usual = _DEFAULT_ACTIVATIONS[call.operator]
    functions = {_activations(call)[at : at + len(usual)] for at in range(0, len(_activations(call)), len(usual))}
    if call.operator == "RNN":
        functions -= {("Relu",)} if len(functions) == 1 else set()
    unusual: dict[str, Any] = {
        "a sequence length per sample": call[4] is not None,
        "peepholes": call.operator == "LSTM" and call[7] is not None,
        "batch-first layout (layout 1)": call.get("layout", 0),
        "reverse direction only": call.get("direction", "forward") == "reverse",
        "other activations": functions - {usual},
        "clipping": call.get("clip") is not None,
        "coupled gates": call.get("input_forget", 0),
        "a GRU that resets before the product": call.operator == "GRU" and not call.get("linear_before_reset", 0),
    }
    for why, is_unusual in unusual.items():
        if is_unusual:
            raise unsupported(call, why)


def _in_torch_order(operator: str, weights: np.ndarray) -> np.ndarray:
    """Return weights with their gates in PyTorch's order."""
    parts = np.split(weights, len(_GATES[operator]))
    return np.concatenate([parts[place] for place in _GATES[operator]])


RECURRENT: dict[str, Callable[[OnnxCall], Iterator[ForeignNode]]] = dict.fromkeys(_GATES, _recurrent)
