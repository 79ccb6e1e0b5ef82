"""What of a kind that can be written cannot be: asked of each node before anything is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ....graph.graph import Node
from .recurrent import CALLABLES


def limit(node: Node) -> str | None:
    """Why a node of a known kind cannot be written, or None."""
    check = _LIMITS.get(node.kind)
    return check(node) if check else None


def _activations(node: Node) -> str | None:
    used = [node.config.get(name) for name in ("activation", "recurrent_activation")]
    unknown = [str(name) for name in used if name is not None and name not in CALLABLES]
    return f"activation {unknown[0]} in a recurrent layer has no form in PyTorch yet" if unknown else None


def _average(node: Node) -> str | None:
    config: Any = node.config
    open_lengths = any(length is None for length in node.outputs[0].shape[1:-1])
    if config["padding"] == "same" and open_lengths:
        return "an average of padded windows needs known lengths"
    return None


def _index(node: Node) -> str | None:
    index: Any = node.config["index"]
    backwards = any(isinstance(entry, tuple) and (entry[3] or 1) < 0 for entry in index)
    return "PyTorch cannot slice backwards" if backwards else None


_LIMITS: dict[str, Callable[[Node], str | None]] = {
    **dict.fromkeys(("lstm", "gru", "simple_rnn"), _activations),
    "average_pool": _average,
    "get_item": _index,
}
