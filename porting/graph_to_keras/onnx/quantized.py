"""Translations of ONNX's quantised arrays: a stored one becomes the floats that it stands for, another is rounded."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ..foreign_graph import ForeignNode, Ref
from .call import OnnxCall
from .translation import Translation, unsupported


def _scale_and_zero(call: OnnxCall) -> tuple[np.ndarray, np.ndarray]:
    """Return the scale, and the number that stands for zero in its integer dtype."""
    scale = call.constant(call[1])
    zero = np.zeros((), "uint8") if call[2] is None else call.constant(call[2])
    if scale is None or zero is None:
        raise unsupported(call, "its scale or its zero point is computed")
    if call.get("block_size", 0):
        raise unsupported(call, "it has a scale for each block of values")
    return np.asarray(scale, "float32"), zero


def _dequantize(call: OnnxCall) -> Iterator[ForeignNode]:
    scale, zero = _scale_and_zero(call)
    stored = call.constant(call[0])
    if stored is not None:
        shape = [1] * stored.ndim
        if scale.size > 1:
            shape[call.get("axis", 1)] = -1
        value = (stored.astype("float32") - zero.astype("float32").reshape(shape)) * scale.reshape(shape)
        call.add_weight(call.outputs[0], value.astype("float32"))
        return
    if scale.size > 1:
        raise unsupported(call, "it has a scale for each channel of what the network computes")
    shifted = f"{call.outputs[0]}_shifted"
    yield ForeignNode("subtract", (call[0], float(zero.item())), (shifted,), {}, call.operator)
    yield call.node("multiply", Ref(shifted), float(scale.item()))


def _quantize(call: OnnxCall) -> Iterator[ForeignNode]:
    """Round to a whole number of steps, within the range of the integers; the numbers stay floats."""
    scale, zero = _scale_and_zero(call)
    if scale.size > 1 or zero.dtype.kind not in "iu":
        raise unsupported(call, "it has a scale for each channel, or rounds to floats")
    limits, name = np.iinfo(zero.dtype), call.outputs[0]
    steps, whole, shifted = (f"{name}_{part}" for part in ("steps", "whole", "shifted"))
    yield ForeignNode("divide", (call[0], float(scale.item())), (steps,), {}, call.operator)
    yield ForeignNode("round", (Ref(steps),), (whole,), {}, call.operator)
    yield ForeignNode("add", (Ref(whole), float(zero.item())), (shifted,), {}, call.operator)
    yield call.node("activation", Ref(shifted), name="clip", low=float(limits.min), high=float(limits.max))


QUANTIZED: dict[str, Translation] = {"QuantizeLinear": _quantize, "DequantizeLinear": _dequantize}
