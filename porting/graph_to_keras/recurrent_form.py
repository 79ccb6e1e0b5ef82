"""The attributes of a recurrent node of `foreign_graph.py`: the weights of each layer and direction.

Inputs of the node: the sequences, then the initial states, each (layers · directions, batch, units) or None for zeros.
Outputs: the sequences of the last layer, then the final states. Weights are (gates · units, in), their gates in
PyTorch's order: input, forget, cell, output for an LSTM; reset, update, new for a GRU, which resets after the
product.
"""

from __future__ import annotations

from typing import Any

from ...errors import PortError
from .foreign_graph import Operand


def recurrent(
    kind: str,
    params: tuple[Operand, ...],
    *,
    layers: int,
    bidirectional: bool,
    batch_first: bool,
    bias: bool,
    dropout: float,
) -> dict[str, Any]:
    """Return the attributes of a node with PyTorch's list of weights.

    Args:
        kind: lstm, gru, rnn_tanh or rnn_relu.
        params: for each layer and direction, the kernel, the recurrent kernel, and their two biases.
        batch_first: whether the sequences are (batch, time, …) instead of (time, batch, …).

    Raises:
        PortError: the number of weights is unexpected, as for an LSTM with projections.
    """
    directions, each = 2 if bidirectional else 1, 4 if bias else 2
    if len(params) != layers * directions * each:
        expected = layers * directions * each
        raise PortError(f"{kind}: expected {expected} weights, received {len(params)} (projections are not covered)")
    absent = () if bias else (None, None)
    single = [(*params[at : at + each], *absent) for at in range(0, len(params), each)]
    return {
        "cell": kind,
        "weights": tuple(tuple(single[at : at + directions]) for at in range(0, len(single), directions)),
        "batch_first": bool(batch_first),
        "dropout": float(dropout or 0) if layers > 1 else 0.0,
        "apart": False,
    }
