"""Handlers of slices, which are the same in every framework with NumPy's indexing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..graph import GraphNode
from .tree import TreeHandler, TreeWriter


def _crop(writer: TreeWriter, node: GraphNode) -> Sequence[str]:
    sides: Any = node.config["cropping"]
    (x,) = writer.inputs(node)
    cuts = [f"{before or ''}:{-after if after else ''}" for before, after in sides]
    return [f"{x}[{', '.join(cuts)}]"]


def _get_item(writer: TreeWriter, node: GraphNode) -> Sequence[str]:
    entries: Any = node.config["index"]
    (x,) = writer.inputs(node)
    return [f"{x}[{', '.join(_entry(entry) for entry in entries)}]"]


def _entry(entry: Any) -> str:
    if isinstance(entry, tuple):
        start, stop, step = ("" if part is None else str(part) for part in entry[1:])
        return f"{start}:{stop}" + (f":{step}" if step else "")
    return str(entry)


def _take(writer: TreeWriter, node: GraphNode) -> Sequence[str]:
    axis: Any = node.config["axis"]
    x, places = writer.inputs(node)
    return [f"{x}[{', '.join([*[':'] * axis, places])}]"]


SHAPES: dict[str, TreeHandler] = {"crop": _crop, "get_item": _get_item, "take": _take}
