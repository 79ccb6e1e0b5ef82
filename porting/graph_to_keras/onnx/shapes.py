"""ONNX's operators that only move values about, in the kinds of `foreign_graph.py`."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ..foreign_graph import Node, Ref
from .call import Call
from .translation import Translation, attribute, refused


def _reshape(call: Call) -> Iterator[Node]:
    yield call.node("reshape", call[0], shape=call.either("shape", 1), zero_copies=not call.get("allowzero", 0))


def _flatten(call: Call) -> Iterator[Node]:
    if call.get("axis", 1) != 1:
        raise refused(call, "of other axes than those after the first")
    yield call.node("flatten", call[0], start=1, end=-1)


def _axes(kind: str) -> Translation:
    def translate(call: Call) -> Iterator[Node]:
        yield call.node(kind, call[0], axes=call.either("axes", 1))

    return translate


def _split(call: Call) -> Iterator[Node]:
    sizes = call.either("split", 1)
    parts = len(call.outputs)
    found = {"sizes": sizes} if sizes is not None else {"parts": parts}
    yield Node("split", (call[0],), call.outputs, {"axis": call.get("axis", 0), **found}, call.operator)


def _slice(call: Call) -> Iterator[Node]:
    if "starts" in call.attributes:
        found = {name: call.get(given) for name, given in (("starts", "starts"), ("stops", "ends"), ("axes", "axes"))}
        yield call.node("slices", call[0], **found, steps=None)
        return
    yield call.node("slices", call[0], starts=call[1], stops=call[2], axes=call[3], steps=call[4])


def _pad(call: Call) -> Iterator[Node]:
    """Widths from ONNX's order, all before and then all after, to PyTorch's."""
    widths = call.attributes.get("pads") or call.known(call[1])
    mode = call.get("mode", "constant")
    if widths is None or mode not in ("constant", "reflect") or call[3] is not None:
        raise refused(call, f"widths that are computed, some axes alone, or padding by {mode!r}")
    half = len(widths) // 2
    turned = tuple(int(widths[at + side]) for at in reversed(range(half)) for side in (0, half))
    value = call.known(call[2])
    yield call.node("pad", call[0], widths=turned, value=0 if value is None or not value.size else value, mode=mode)


def _shape(call: Call) -> Iterator[Node]:
    start, end = call.get("start", 0), call.get("end")
    if start == 0 and end is None:
        yield call.node("size", call[0], axis=None)
        return
    whole = f"{call.outputs[0]}_whole"
    yield Node("size", (call[0],), (whole,), {"axis": None}, call.operator)
    yield call.node("slice", Ref(whole), axis=0, start=start, stop=end, step=1)


def _full(call: Call) -> Iterator[Node]:
    value = call.get("value")
    found = np.zeros(1, "float32") if value is None else value
    yield call.node("full", shape=call[0], value=found, dtype=found.dtype.name)


def _range(call: Call) -> Iterator[Node]:
    yield call.node("arange", start=call[0], stop=call[1], step=call[2])


def _depth_to_space(call: Call) -> Iterator[Node]:
    if call.get("mode", "DCR") != "CRD":
        raise refused(call, "mode DCR")
    yield call.node("pixel_shuffle", call[0], factor=call.get("blocksize"))


def _expand(call: Call) -> Iterator[Node]:
    yield call.node("expand", call[0], shape=call[1])


def _tile(call: Call) -> Iterator[Node]:
    yield call.node("tile", call[0], repeats=call[1])


SHAPES: dict[str, Translation] = {
    "Reshape": _reshape,
    "Flatten": _flatten,
    "Transpose": attribute("permute", axes=("perm", None)),
    "Squeeze": _axes("squeeze"),
    "Unsqueeze": _axes("unsqueeze"),
    "Concat": attribute("concatenate", axis=("axis", 0)),
    "Split": _split,
    "Slice": _slice,
    "Gather": attribute("take", axis=("axis", 0)),
    "Expand": _expand,
    "Tile": _tile,
    "Pad": _pad,
    "Shape": _shape,
    "ConstantOfShape": _full,
    "Range": _range,
    "DepthToSpace": _depth_to_space,
}
