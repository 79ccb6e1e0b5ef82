"""Nodes of supported kinds that PyTorch cannot compute. They are checked before anything is written."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ....graph.graph import GraphNode
from .recurrent import CALLABLES


def limitation(node: GraphNode) -> str | None:
    """Return why a node of a supported kind cannot be written, or None when it can."""
    check = _CHECKS.get(node.kind)
    return check(node) if check else None


def _activations(node: GraphNode) -> str | None:
    used = [node.config.get(name) for name in ("activation", "recurrent_activation")]
    unknown = [str(name) for name in used if name is not None and name not in CALLABLES]
    return f"activation {unknown[0]} in a recurrent layer has no form in PyTorch yet" if unknown else None


def _average(node: GraphNode) -> str | None:
    config: Any = node.config
    open_lengths = any(length is None for length in node.outputs[0].shape[1:-1])
    if config["padding"] == "same" and open_lengths:
        return "an average of padded windows needs known lengths"
    return None


def _index(node: GraphNode) -> str | None:
    index: Any = node.config["index"]
    backwards = any(isinstance(entry, tuple) and (entry[3] or 1) < 0 for entry in index)
    return "PyTorch cannot slice backwards" if backwards else None


_CHECKS: dict[str, Callable[[GraphNode], str | None]] = {
    **dict.fromkeys(("lstm", "gru", "simple_rnn", "conv_lstm"), _activations),
    "average_pool": _average,
    "get_item": _index,
}
