"""ONNX's recurrent operators: their gates stand in another order than PyTorch's, which `recurrent_form.py` has."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from ..foreign_graph import Node
from .call import Call
from .translation import refused

# Where each of PyTorch's gates is among ONNX's: input, output, forget, cell; update, reset, new.
_GATES = {"LSTM": (0, 2, 3, 1), "GRU": (1, 0, 2), "RNN": (0,)}
_CELLS = {"LSTM": "lstm", "GRU": "gru", "RNN": "rnn_tanh"}
_USUAL: dict[str, tuple[str, ...]] = {"LSTM": ("Sigmoid", "Tanh", "Tanh"), "GRU": ("Sigmoid", "Tanh"), "RNN": ("Tanh",)}


def _recurrent(call: Call) -> Iterator[Node]:
    _require_usual(call)
    kernel, recurrent, bias = (call.known(call[place]) for place in (1, 2, 3))
    if kernel is None or recurrent is None or (call[3] is not None and bias is None):
        raise refused(call, "a weight that is computed")
    directions = []
    for way in range(len(kernel)):
        parts = [_ordered(call.operator, each[way]) for each in (kernel, recurrent)]
        if bias is not None:
            parts += [_ordered(call.operator, half) for half in np.split(bias[way], 2)]
        base = call[1].name if call[1] else ""
        names = (f"{base}/{name}_{way}" for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"))
        made = [call.weight(name, part) for name, part in zip(names, parts, strict=False)]
        directions.append((*made, *(None,) * (4 - len(made))))
    states = tuple(call[place] for place in ((5, 6) if call.operator == "LSTM" else (5,)))
    outputs = tuple(name or f"{call.outputs[0]}_{place}" for place, name in enumerate(_three(call)))
    yield Node(
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


def _three(call: Call) -> tuple[str, ...]:
    return (*call.outputs, "", "")[:3]


def _cell(call: Call) -> str:
    relu = call.operator == "RNN" and _activations(call)[0] == "Relu"
    return "rnn_relu" if relu else _CELLS[call.operator]


def _activations(call: Call) -> tuple[str, ...]:
    return tuple(call.get("activations", ())) or _USUAL[call.operator]


def _require_usual(call: Call) -> None:
    """Raise a PortError for what a recurrent operator may do that Keras' layers do not."""
    usual = _USUAL[call.operator]
    functions = {_activations(call)[at : at + len(usual)] for at in range(0, len(_activations(call)), len(usual))}
    if call.operator == "RNN":
        functions -= {("Relu",)} if len(functions) == 1 else set()
    unusual: dict[str, Any] = {
        "lengths of its own for each sample": call[4] is not None,
        "peepholes": call.operator == "LSTM" and call[7] is not None,
        "the samples first (layout 1)": call.get("layout", 0),
        "backwards alone": call.get("direction", "forward") == "reverse",
        "other activations": functions - {usual},
        "clipping": call.get("clip") is not None,
        "coupled gates": call.get("input_forget", 0),
        "a GRU that resets before its product": call.operator == "GRU" and not call.get("linear_before_reset", 0),
    }
    for why, found in unusual.items():
        if found:
            raise refused(call, why)


def _ordered(operator: str, weights: np.ndarray) -> np.ndarray:
    """With its gates in PyTorch's order."""
    parts = np.split(weights, len(_GATES[operator]))
    return np.concatenate([parts[place] for place in _GATES[operator]])


RECURRENT: dict[str, Callable[[Call], Iterator[Node]]] = dict.fromkeys(_GATES, _recurrent)
