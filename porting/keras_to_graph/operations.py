"""What each operation of `keras.ops`, called on symbolic arrays in a functional model, becomes in the graph.

Keras' operation classes are private: they are known here by their names, and their settings by their attributes.
tests/porting/test_operations.py notices when one moves.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np

from ...graph.graph import Operand, Reference, Value
from .calls import Call
from .reader import Reader, Reading, UnreadableError, specs_of
from .shared import axes_of, numbers

Config = Callable[[Any, int], dict[str, Value]]

# --- what the readers share -----------------------------------------------------------------------------------------


def _operands(reading: Reading, call: Call) -> list[Operand]:
    """What an operation computes with: arrays, and numbers where a number was written."""
    values = [value for value in keras.tree.flatten(list(call.arguments.values())) if value is not None]
    return [_operand(reading, call, value, index) for index, value in enumerate(values)]


def _operand(reading: Reading, call: Call, value: Any, index: int) -> Operand:
    if isinstance(value, (Reference, bool, int, float)):
        return value
    if isinstance(value, (keras.Variable, str)):
        raise UnreadableError("uses a variable or a text that belongs to no layer")
    array = np.asarray(keras.ops.convert_to_numpy(value))
    return array.item() if array.ndim == 0 else reading.constant(call, array, f"constant_{index}")


def _in_floats(reading: Reading, call: Call, operands: list[Operand]) -> list[Operand]:
    """Integers as floats, where the operation makes floats of integers."""
    (result, *_) = specs_of(call)
    if not result.dtype.startswith("float"):
        return operands
    return [
        reading.cast(call, one, result.dtype, f"cast_{index}")
        if isinstance(one, Reference) and not reading.spec(one).dtype.startswith("float")
        else one
        for index, one in enumerate(operands)
    ]


def _rank(reading: Reading, operands: Sequence[Operand]) -> int:
    return max(reading.spec(one).rank for one in operands if isinstance(one, Reference))


def _function(kind: str, config: Config = lambda operation, rank: {}, *, as_floats: bool = True) -> Reader:
    """A reader of operations that take arrays and numbers, and are set by their attributes."""

    def reader(reading: Reading, call: Call) -> Sequence[Reference]:
        operands = _operands(reading, call)
        if as_floats:
            operands = _in_floats(reading, call, operands)
        if not any(isinstance(one, Reference) for one in operands):
            raise UnreadableError("computes with no array")
        found = config(call.operation, _rank(reading, operands))
        return reading.add(call, kind, operands, config=found)

    return reader


# --- how operations are configured ----------------------------------------------------------------------------------


def _reduction(operation: Any, rank: int) -> dict[str, Value]:
    if getattr(operation, "initial", None) is not None:
        raise UnreadableError("starts from a value of its own")
    return {"axis": axes_of(operation.axis, rank), "keepdims": bool(operation.keepdims)}


def _arg_reduction(operation: Any, rank: int) -> dict[str, Value]:
    if operation.axis is None:
        raise UnreadableError("looks through all axes at once")
    return {"axis": int(operation.axis) % rank, "keepdims": bool(operation.keepdims)}


def _axis(operation: Any, rank: int) -> dict[str, Value]:
    if operation.axis is None:
        raise UnreadableError("works on the flattened array")
    return {"axis": int(operation.axis) % rank}


def _axes(operation: Any, rank: int) -> dict[str, Value]:
    return {"axis": axes_of(operation.axis, rank)}


def _new_axes(operation: Any, rank: int) -> dict[str, Value]:
    axis = operation.axis if isinstance(operation.axis, (list, tuple)) else [operation.axis]
    return {"axis": axes_of(list(axis), rank + len(axis))}


def _new_axis(operation: Any, rank: int) -> dict[str, Value]:
    return {"axis": int(operation.axis) % (rank + 1)}


def _softmax_axis(operation: Any, rank: int) -> dict[str, Value]:
    axes = axes_of(operation.axis, rank)
    return {"axis": axes[0] if len(axes) == 1 else axes}


def _attributes(*names: str) -> Config:
    return lambda operation, rank: {name: _plain(getattr(operation, name)) for name in names}


def _plain(value: Any) -> Value:
    if isinstance(value, (list, tuple)):
        return tuple(_plain(item) for item in value)
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if np.ndim(value) == 0:
        return np.asarray(value).item()  # type: ignore[no-any-return]
    raise UnreadableError("is set by something other than plain numbers")


def _relu(operation: Any, rank: int) -> dict[str, Value]:
    """Of `keras.ops.relu`, which has no settings, and of `keras.activations.relu`, which has."""
    top = getattr(operation, "max_value", None)
    return {
        "negative_slope": float(getattr(operation, "negative_slope", 0.0)),
        "max_value": None if top is None else float(top),
        "threshold": float(getattr(operation, "threshold", 0.0)),
    }


# --- operations that need more --------------------------------------------------------------------------------------


def _reshape(reading: Reading, call: Call) -> Sequence[Reference]:
    value = call.arguments["x"]
    before, after = reading.spec(value).shape, specs_of(call)[0].shape
    shape = [int(length) if length is not None else -1 for length in call.operation.newshape]
    keeps_batch = before[0] is None and after[0] is None and before[1:] and _same_size(before[1:], after[1:])
    if keeps_batch:
        return reading.add(call, "reshape", [value], config={"shape": (None, *shape[1:])})
    if shape.count(-1) > 1:
        raise UnreadableError("has more than one open length")
    return reading.add(call, "reshape", [value], config={"shape": tuple(shape)})


def _same_size(before: Sequence[int | None], after: Sequence[int | None]) -> bool:
    if None in before or None in after:
        return False
    return int(np.prod(np.array(before, dtype=int))) == int(np.prod(np.array(after, dtype=int)))


def _transpose(reading: Reading, call: Call) -> Sequence[Reference]:
    value = call.arguments["x"]
    rank = reading.spec(value).rank
    axes = call.operation.axes
    order = tuple(reversed(range(rank))) if axes is None else tuple(int(axis) % rank for axis in axes)
    return reading.add(call, "transpose", [value], config={"axes": order})


def _swapaxes(reading: Reading, call: Call) -> Sequence[Reference]:
    value = call.arguments["x"]
    order = list(range(reading.spec(value).rank))
    first, second = (axis % len(order) for axis in (call.operation.axis1, call.operation.axis2))
    order[first], order[second] = order[second], order[first]
    return reading.add(call, "transpose", [value], config={"axes": tuple(order)})


def _get_item(reading: Reading, call: Call) -> Sequence[Reference]:
    key = call.arguments["key"]
    entries = tuple(_entry(item) for item in (key if isinstance(key, tuple) else (key,)))
    return reading.add(call, "get_item", [call.arguments["x"]], config={"index": entries})


def _entry(item: Any) -> Value:
    if item is Ellipsis:
        return "..."
    if item is None or isinstance(item, (int, np.integer)):
        return None if item is None else int(item)
    if isinstance(item, slice):
        parts = (item.start, item.stop, item.step)
        if all(part is None or isinstance(part, (int, np.integer)) for part in parts):
            return ("slice", *(None if part is None else int(part) for part in parts))
    raise UnreadableError("is indexed by something other than numbers and slices")


def _split(reading: Reading, call: Call) -> Sequence[Reference]:
    operation, value = call.operation, call.arguments["x"]
    sections = _plain(operation.indices_or_sections)
    config: dict[str, Value] = {"sections": sections, "axis": operation.axis % reading.spec(value).rank}
    return reading.add(call, "split", [value], config=config)


def _squeeze(reading: Reading, call: Call) -> Sequence[Reference]:
    value = call.arguments["x"]
    shape = reading.spec(value).shape
    ones = tuple(axis for axis, length in enumerate(shape) if length == 1)
    axis = ones if call.operation.axis is None else axes_of(call.operation.axis, len(shape))
    return reading.add(call, "squeeze", [value], config={"axis": axis})


def _pad(reading: Reading, call: Call) -> Sequence[Reference]:
    operation, value = call.operation, call.arguments["x"]
    if operation.mode != "constant":
        raise UnreadableError(f"mode {operation.mode!r} is not covered")
    width = _plain(operation.pad_width)
    assert isinstance(width, tuple)
    if len(width) == 1:
        width = width * reading.spec(value).rank
    filled = call.arguments.get("constant_values")
    return reading.add(call, "pad", [value], config={"pad_width": width, "value": float(filled or 0)})


def _clip(operation: Any, rank: int) -> dict[str, Value]:
    return {"minimum": _plain(operation.x_min), "maximum": _plain(operation.x_max)}


def _cast(reading: Reading, call: Call) -> Sequence[Reference]:
    (value,) = _operands(reading, call)[:1]
    dtype = specs_of(call)[0].dtype
    if not isinstance(value, Reference):
        raise UnreadableError("casts a number")
    if reading.spec(value).dtype == dtype:
        return [value]
    return reading.add(call, "cast", [value], config={"dtype": dtype})


def _one_hot(reading: Reading, call: Call) -> Sequence[Reference]:
    operation, value = call.operation, call.arguments["x"]
    (spec,) = specs_of(call)
    if getattr(operation, "sparse", False):
        raise UnreadableError("is sparse")
    config: dict[str, Value] = {
        "num_classes": int(operation.num_classes),
        "axis": operation.axis % spec.rank,
        "dtype": spec.dtype,
    }
    return reading.add(call, "one_hot", [value], config=config)


def _einsum(reading: Reading, call: Call) -> Sequence[Reference]:
    operands = _in_floats(reading, call, _operands(reading, call))
    return reading.add(call, "einsum", operands, config={"equation": call.operation.subscripts})


def _cumsum(operation: Any, rank: int) -> dict[str, Value]:
    if getattr(operation, "dtype", None) is not None:
        raise UnreadableError("sums in a dtype of its own")
    return _axis(operation, rank)


def _round(operation: Any, rank: int) -> dict[str, Value]:
    if operation.decimals:
        raise UnreadableError("rounds to decimals")
    return {}


def _like(reading: Reading, call: Call) -> Sequence[Reference]:
    kind = "zeros_like" if type(call.operation).__name__ == "ZerosLike" else "ones_like"
    if specs_of(call)[0].dtype != reading.spec(call.arguments["x"]).dtype:
        raise UnreadableError("changes the dtype")
    return reading.add(call, kind, [call.arguments["x"]])


def _snake(name: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() and i else letter.lower() for i, letter in enumerate(name))


_AS_NAMED = (
    *("Add", "Subtract", "Multiply", "Divide", "Maximum", "Minimum", "Power", "FloorDivide", "Mod", "Matmul"),
    *("Sign", "Square", "Sqrt", "Rsqrt", "Exp", "Expm1", "Log", "Log1p", "Reciprocal", "Negative"),
    *("Sin", "Cos", "Tan", "Floor", "Ceil", "Erf", "StopGradient"),
    *("Relu6", "Sigmoid", "SparseSigmoid", "Softplus", "Softsign", "SparsePlus", "Silu", "LogSigmoid"),
    *("HardSigmoid", "HardSilu", "Selu", "TanhShrink", "HardTanh", "Tanh", "Mish"),
)
_COMPARISONS = (
    *("Equal", "NotEqual", "Greater", "GreaterEqual", "Less", "LessEqual"),
    *("LogicalAnd", "LogicalOr", "LogicalNot"),
)

OPERATIONS: dict[str, Reader] = {
    **{name: _function(_snake(name)) for name in _AS_NAMED},
    **{name: _function(_snake(name), as_floats=False) for name in _COMPARISONS},
    "TrueDivide": _function("divide"),
    "Absolute": _function("abs"),
    "Abs": _function("abs"),
    "Round": _function("round", _round),
    "Where": _function("where", as_floats=False),
    **{name: _function(name.lower(), _reduction) for name in ("Mean", "Sum", "Max", "Min", "Var", "Std")},
    "Amax": _function("max", _reduction),
    "Amin": _function("min", _reduction),
    "Prod": _function("prod", _reduction),
    "Argmax": _function("argmax", _arg_reduction, as_floats=False),
    "Argmin": _function("argmin", _arg_reduction, as_floats=False),
    "Clip": _function("clip", _clip),
    "Cumsum": _function("cumsum", _cumsum),
    "Relu": _function("relu", _relu),
    "ReLU": _function("relu", _relu),
    "LeakyRelu": _function("leaky_relu", _attributes("negative_slope")),
    "Elu": _function("elu", _attributes("alpha")),
    "Celu": _function("celu", _attributes("alpha")),
    "Gelu": _function("gelu", _attributes("approximate")),
    "Squareplus": _function("squareplus", _attributes("b")),
    "SoftShrink": _function("soft_shrink", _attributes("threshold")),
    "HardShrink": _function("hard_shrink", _attributes("threshold")),
    "Threshold": _function("threshold", _attributes("threshold", "default_value")),
    "Glu": _function("glu", _axis),
    "Softmax": _function("softmax", _softmax_axis),
    "LogSoftmax": _function("log_softmax", _softmax_axis),
    "Sparsemax": _function("sparsemax"),
    "Concatenate": _function("concatenate", _axis),
    "Stack": _function("stack", _new_axis),
    "ExpandDims": _function("expand_dims", _new_axes, as_floats=False),
    "Flip": _function("flip", _axes),
    "Repeat": _function("repeat", lambda operation, rank: {**_axis(operation, rank), **_repeats(operation)}),
    "Tile": _function("tile", lambda operation, rank: {"repeats": numbers(operation.repeats)}),
    "Squeeze": _squeeze,
    "Split": _split,
    "Reshape": _reshape,
    "Transpose": _transpose,
    "Swapaxes": _swapaxes,
    "GetItem": _get_item,
    "Pad": _pad,
    "Cast": _cast,
    "OneHot": _one_hot,
    "Einsum": _einsum,
    "ZerosLike": _like,
    "OnesLike": _like,
}


def _repeats(operation: Any) -> dict[str, Value]:
    if not isinstance(operation.repeats, int):
        raise UnreadableError("repeats each element another number of times")
    return {"repeats": operation.repeats}
