"""Translations of ONNX's operators that only rearrange values, into the kinds of `foreign_graph.py`."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ..foreign_graph import ForeignNode, Ref
from .call import OnnxCall
from .translation import Translation, as_kind, unsupported


def _reshape(call: OnnxCall) -> Iterator[ForeignNode]:
    yield call.node(
        "reshape", call[0], shape=call.attribute_or_input("shape", 1), zero_copies=not call.get("allowzero", 0)
    )


def _flatten(call: OnnxCall) -> Iterator[ForeignNode]:
    if call.get("axis", 1) != 1:
        raise unsupported(call, "it flattens other axes than those after the first")
    yield call.node("flatten", call[0], start=1, end=-1)


def _axes(kind: str) -> Translation:
    def translate(call: OnnxCall) -> Iterator[ForeignNode]:
        yield call.node(kind, call[0], axes=call.attribute_or_input("axes", 1))

    return translate


def _split(call: OnnxCall) -> Iterator[ForeignNode]:
    sizes = call.attribute_or_input("split", 1)
    parts = len(call.outputs)
    attributes = {"sizes": sizes} if sizes is not None else {"parts": parts}
    yield ForeignNode("split", (call[0],), call.outputs, {"axis": call.get("axis", 0), **attributes}, call.operator)


def _slice(call: OnnxCall) -> Iterator[ForeignNode]:
    if "starts" in call.attributes:
        attributes = {
            name: call.get(attribute_name)
            for name, attribute_name in (("starts", "starts"), ("stops", "ends"), ("axes", "axes"))
        }
        yield call.node("slices", call[0], **attributes, steps=None)
        return
    yield call.node("slices", call[0], starts=call[1], stops=call[2], axes=call[3], steps=call[4])


def _pad(call: OnnxCall) -> Iterator[ForeignNode]:
    """Translate a padding. ONNX lists first all widths before, then all after; PyTorch goes per axis from the last."""
    widths = call.attributes.get("pads") or call.constant(call[1])
    mode = call.get("mode", "constant")
    if widths is None or mode not in ("constant", "reflect") or call[3] is not None:
        raise unsupported(call, f"its widths are computed, it pads selected axes, or its mode is {mode!r}")
    half = len(widths) // 2
    turned = tuple(int(widths[at + side]) for at in reversed(range(half)) for side in (0, half))
    value = call.constant(call[2])
    yield call.node("pad", call[0], widths=turned, value=0 if value is None or not value.size else value, mode=mode)


def _shape(call: OnnxCall) -> Iterator[ForeignNode]:
    start, end = call.get("start", 0), call.get("end")
    if start == 0 and end is None:
        yield call.node("size", call[0], axis=None)
        return
    whole = f"{call.outputs[0]}_whole"
    yield ForeignNode("size", (call[0],), (whole,), {"axis": None}, call.operator)
    yield call.node("slice", Ref(whole), axis=0, start=start, stop=end, step=1)


def _full(call: OnnxCall) -> Iterator[ForeignNode]:
    value = call.get("value")
    fill = np.zeros(1, "float32") if value is None else value
    yield call.node("full", shape=call[0], value=fill, dtype=fill.dtype.name)


def _range(call: OnnxCall) -> Iterator[ForeignNode]:
    yield call.node("arange", start=call[0], stop=call[1], step=call[2])


def _depth_to_space(call: OnnxCall) -> Iterator[ForeignNode]:
    if call.get("mode", "DCR") != "CRD":
        raise unsupported(call, "mode DCR")
    yield call.node("pixel_shuffle", call[0], factor=call.get("blocksize"))


def _expand(call: OnnxCall) -> Iterator[ForeignNode]:
    yield call.node("expand", call[0], shape=call[1])


def _tile(call: OnnxCall) -> Iterator[ForeignNode]:
    yield call.node("tile", call[0], repeats=call[1])


SHAPES: dict[str, Translation] = {
    "Reshape": _reshape,
    "Flatten": _flatten,
    "Transpose": as_kind("permute", axes=("perm", None)),
    "Squeeze": _axes("squeeze"),
    "Unsqueeze": _axes("unsqueeze"),
    "Concat": as_kind("concatenate", axis=("axis", 0)),
    "Split": _split,
    "Slice": _slice,
    "Gather": as_kind("take", axis=("axis", 0)),
    "Expand": _expand,
    "Tile": _tile,
    "Pad": _pad,
    "Shape": _shape,
    "ConstantOfShape": _full,
    "Range": _range,
    "DepthToSpace": _depth_to_space,
}
