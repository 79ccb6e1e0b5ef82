"""Translations of ONNX's operators that sort, pick, accumulate or measure along axes."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ..foreign_graph import ForeignNode, Ref
from .call import OnnxCall
from .translation import Translation, unsupported


def _number(call: OnnxCall, place: int, what: str, default: int | None = None) -> int:
    """Return an input that is one stored number."""
    value = call.constant(call[place])
    if value is None and (call[place] is not None or default is None):
        raise unsupported(call, f"{what} is computed")
    return int(default or 0) if value is None else int(np.ravel(value)[0])


def _top_k(call: OnnxCall) -> Iterator[ForeignNode]:
    count, axis = _number(call, 1, "the number of values"), call.get("axis", -1)
    attributes = {"count": count, "axis": axis, "largest": bool(call.get("largest", 1))}
    yield ForeignNode("top_k", (call[0],), call.outputs, attributes, call.operator)


def _gather_elements(call: OnnxCall) -> Iterator[ForeignNode]:
    yield call.node("gather", call[0], call[1], axis=call.get("axis", 0))


def _cumsum(call: OnnxCall) -> Iterator[ForeignNode]:
    if call.get("exclusive", 0) or call.get("reverse", 0):
        raise unsupported(call, "sums that leave their own value out, or that begin at the end")
    yield call.node("cumsum", call[0], axis=_number(call, 1, "the axis"))


def _triangle(call: OnnxCall) -> Iterator[ForeignNode]:
    kind = "triu" if call.get("upper", 1) else "tril"
    yield call.node(kind, call[0], diagonal=_number(call, 1, "the diagonal", 0))


def _norm(before: str, after: str) -> Translation:
    """Translate a sum of what one kind computes, of which another kind computes the result; empty for neither."""

    def translate(call: OnnxCall) -> Iterator[ForeignNode]:
        values, total = call[0], f"{call.outputs[0]}_total"
        if before:
            yield ForeignNode(before, (call[0],), (f"{call.outputs[0]}_values",), {}, call.operator)
            values = Ref(f"{call.outputs[0]}_values")
        axes, keepdims = call.attribute_or_input("axes", 1), bool(call.get("keepdims", 1))
        if axes is None and call.get("noop_with_empty_axes", 0):
            raise unsupported(call, "it sums over no axes")
        summed = call.outputs[:1] if not after else (total,)
        yield ForeignNode("sum", (values,), summed, {"axes": axes, "keepdims": keepdims}, call.operator)
        if after:
            yield call.node(after, Ref(total))

    return translate


def _log_sum_exp(call: OnnxCall) -> Iterator[ForeignNode]:
    axes = call.attribute_or_input("axes", 1)
    yield call.node("logsumexp", call[0], axes=axes, keepdims=bool(call.get("keepdims", 1)))


SELECTION: dict[str, Translation] = {
    "TopK": _top_k,
    "GatherElements": _gather_elements,
    "CumSum": _cumsum,
    "Trilu": _triangle,
    "ReduceL1": _norm("abs", ""),
    "ReduceL2": _norm("square", "sqrt"),
    "ReduceSumSquare": _norm("square", ""),
    "ReduceLogSum": _norm("", "log"),
    "ReduceLogSumExp": _log_sum_exp,
}
