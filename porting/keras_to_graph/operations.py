"""Readers of `keras.ops` operations that a functional model calls on symbolic arrays.

Keras' operation classes are private, so they are identified by name, and their options are read from attributes.
tests/porting/test_keras_to_graph.py notices when one moves.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np

from ...graph.graph import ArrayReference, ConfigValue, GraphOperand, Spec
from .calls import LayerCall
from .composed_operations import COMPOSED_OPERATIONS
from .convolutions import CONVOLUTIONS
from .reader import GraphReader, LayerReader, UnreadableError, specs_of
from .shared import as_operand, normalized_axes, to_tuple

Config = Callable[[Any, int], dict[str, ConfigValue]]

# --- shared by the readers ------------------------------------------------------------------------------------------


def _operands(reader: GraphReader, call: LayerCall) -> list[GraphOperand]:
    """Return the operands of an operation: array references, and Python numbers for scalars."""
    values = [value for value in keras.tree.flatten(list(call.arguments.values())) if value is not None]
    return [as_operand(reader, call, value, index) for index, value in enumerate(values)]


def _cast_integers(reader: GraphReader, call: LayerCall, operands: list[GraphOperand]) -> list[GraphOperand]:
    """Cast integer arrays to float if the operation's result is float."""
    (result, *_) = specs_of(call)
    if not result.dtype.startswith("float"):
        return operands
    return [
        reader.cast(call, operand, result.dtype, f"cast_{index}")
        if isinstance(operand, ArrayReference) and not reader.spec(operand).dtype.startswith("float")
        else operand
        for index, operand in enumerate(operands)
    ]


def _rank(reader: GraphReader, operands: Sequence[GraphOperand]) -> int:
    return max(reader.spec(operand).rank for operand in operands if isinstance(operand, ArrayReference))


def _operation_reader(
    kind: str, config: Config = lambda operation, rank: {}, *, cast_integers: bool = True
) -> LayerReader:
    """Return a reader for an operation whose operands are arrays and numbers and whose options are attributes."""

    def read_call(reader: GraphReader, call: LayerCall) -> Sequence[ArrayReference]:
        operands = _operands(reader, call)
        if cast_integers:
            operands = _cast_integers(reader, call, operands)
        if not any(isinstance(operand, ArrayReference) for operand in operands):
            raise UnreadableError("takes no array")
        node_config = config(call.operation, _rank(reader, operands))
        return reader.add(call, kind, operands, config=node_config)

    return read_call


# --- how operations are configured ----------------------------------------------------------------------------------


def _reduction(operation: Any, rank: int) -> dict[str, ConfigValue]:
    if getattr(operation, "initial", None) is not None:
        raise UnreadableError("an initial value is not covered")
    return {"axis": normalized_axes(operation.axis, rank), "keepdims": bool(operation.keepdims)}


def _arg_reduction(operation: Any, rank: int) -> dict[str, ConfigValue]:
    if operation.axis is None:
        raise UnreadableError("axis=None is not covered")
    return {"axis": int(operation.axis) % rank, "keepdims": bool(operation.keepdims)}


def _axis(operation: Any, rank: int) -> dict[str, ConfigValue]:
    if operation.axis is None:
        raise UnreadableError("axis=None, which flattens the array, is not covered")
    return {"axis": int(operation.axis) % rank}


def _axes(operation: Any, rank: int) -> dict[str, ConfigValue]:
    return {"axis": normalized_axes(operation.axis, rank)}


def _new_axes(operation: Any, rank: int) -> dict[str, ConfigValue]:
    axis = operation.axis if isinstance(operation.axis, (list, tuple)) else [operation.axis]
    return {"axis": normalized_axes(list(axis), rank + len(axis))}


def _new_axis(operation: Any, rank: int) -> dict[str, ConfigValue]:
    return {"axis": int(operation.axis) % (rank + 1)}


def _softmax_axis(operation: Any, rank: int) -> dict[str, ConfigValue]:
    axes = normalized_axes(operation.axis, rank)
    return {"axis": axes[0] if len(axes) == 1 else axes}


def _attributes(*names: str) -> Config:
    return lambda operation, rank: {name: _to_config(getattr(operation, name)) for name in names}


def _to_config(value: Any) -> ConfigValue:
    if isinstance(value, (list, tuple)):
        return tuple(_to_config(item) for item in value)
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if np.ndim(value) == 0:
        return np.asarray(value).item()  # type: ignore[no-any-return]
    raise UnreadableError("has an option that is no plain number or string")


def _relu(operation: Any, rank: int) -> dict[str, ConfigValue]:
    """Return the options of `keras.activations.relu`; `keras.ops.relu` has none and gets the defaults."""
    top = getattr(operation, "max_value", None)
    return {
        "negative_slope": float(getattr(operation, "negative_slope", 0.0)),
        "max_value": None if top is None else float(top),
        "threshold": float(getattr(operation, "threshold", 0.0)),
    }


# --- operations that need more --------------------------------------------------------------------------------------


def _reshape(reader: GraphReader, call: LayerCall) -> Sequence[ArrayReference]:
    value = call.arguments["x"]
    input_shape, output_shape = reader.spec(value).shape, specs_of(call)[0].shape
    shape = [int(length) if length is not None else -1 for length in call.operation.newshape]
    # Of two unknown lengths, the first is that of `ops.shape(x)`, which is the batch.
    names_batch = shape.count(-1) > 1 and call.operation.newshape[0] is None
    has_same_size = bool(input_shape[1:]) and _has_same_size(input_shape[1:], output_shape[1:])
    if input_shape[0] is None and output_shape[0] is None and (names_batch or has_same_size):
        return reader.add(call, "reshape", [value], config={"shape": (None, *_one_open(shape[1:]))})
    return reader.add(call, "reshape", [value], config={"shape": _one_open(shape)})


def _one_open(shape: Sequence[int]) -> tuple[int, ...]:
    """Return lengths of which at most one is -1."""
    if list(shape).count(-1) > 1:
        raise UnreadableError("has more than one unknown length")
    return tuple(shape)


def _broadcast_to(reader: GraphReader, call: LayerCall) -> Sequence[ArrayReference]:
    """Read a broadcast; a length that is not known must be that of the batch."""
    shape = _to_config(tuple(call.operation.shape))
    assert isinstance(shape, tuple)
    if None in shape[1:]:
        raise UnreadableError("has an unknown length that is not that of the batch")
    like = [reader.batch] if shape[0] is None else []
    return reader.add(call, "broadcast_to", [call.arguments["x"], *like], config={"shape": shape})


def _take(reader: GraphReader, call: LayerCall) -> Sequence[ArrayReference]:
    value, axis = call.arguments["x"], call.operation.axis
    if not isinstance(value, ArrayReference) or axis is None:
        raise UnreadableError("takes from a constant array, or from a flattened one")
    places = as_operand(reader, call, call.arguments["indices"], 0)
    if isinstance(places, ArrayReference):
        places = reader.cast(call, places, "int32")
    return reader.add(call, "take", [value, places], config={"axis": int(axis) % reader.spec(value).rank})


def _has_same_size(shape: Sequence[int | None], other: Sequence[int | None]) -> bool:
    if None in shape or None in other:
        return False
    return int(np.prod(np.array(shape, dtype=int))) == int(np.prod(np.array(other, dtype=int)))


def _transpose(reader: GraphReader, call: LayerCall) -> Sequence[ArrayReference]:
    value = call.arguments["x"]
    rank = reader.spec(value).rank
    axes = call.operation.axes
    order = tuple(reversed(range(rank))) if axes is None else tuple(int(axis) % rank for axis in axes)
    return reader.add(call, "transpose", [value], config={"axes": order})


def _swapaxes(reader: GraphReader, call: LayerCall) -> Sequence[ArrayReference]:
    value = call.arguments["x"]
    order = list(range(reader.spec(value).rank))
    first, second = (axis % len(order) for axis in (call.operation.axis1, call.operation.axis2))
    order[first], order[second] = order[second], order[first]
    return reader.add(call, "transpose", [value], config={"axes": tuple(order)})


def _get_item(reader: GraphReader, call: LayerCall) -> Sequence[ArrayReference]:
    key = call.arguments["key"]
    # Keras loads the tuple of x[:, 2] as a list; a list of numbers alone would be x[[1, 2]].
    is_list = isinstance(key, list) and any(item is Ellipsis or isinstance(item, slice | type(None)) for item in key)
    is_several = isinstance(key, tuple) or is_list
    entries = tuple(_entry(item) for item in (key if is_several else (key,)))
    return reader.add(call, "get_item", [call.arguments["x"]], config={"index": entries})


def _entry(item: Any) -> ConfigValue:
    if item is Ellipsis:
        return "..."
    if item is None or isinstance(item, (int, np.integer)):
        return None if item is None else int(item)
    if isinstance(item, slice):
        parts = (item.start, item.stop, item.step)
        if all(part is None or isinstance(part, (int, np.integer)) for part in parts):
            return ("slice", *(None if part is None else int(part) for part in parts))
    raise UnreadableError("is indexed by something other than numbers and slices")


def _split(reader: GraphReader, call: LayerCall) -> Sequence[ArrayReference]:
    operation, value = call.operation, call.arguments["x"]
    sections = _to_config(operation.indices_or_sections)
    config: dict[str, ConfigValue] = {"sections": sections, "axis": operation.axis % reader.spec(value).rank}
    return reader.add(call, "split", [value], config=config)


def _squeeze(reader: GraphReader, call: LayerCall) -> Sequence[ArrayReference]:
    value = call.arguments["x"]
    shape = reader.spec(value).shape
    ones = tuple(axis for axis, length in enumerate(shape) if length == 1)
    axis = ones if call.operation.axis is None else normalized_axes(call.operation.axis, len(shape))
    return reader.add(call, "squeeze", [value], config={"axis": axis})


def _pad(reader: GraphReader, call: LayerCall) -> Sequence[ArrayReference]:
    operation, value = call.operation, call.arguments["x"]
    if operation.mode != "constant":
        raise UnreadableError(f"mode {operation.mode!r} is not covered")
    width = _to_config(operation.pad_width)
    assert isinstance(width, tuple)
    if len(width) == 1:
        width = width * reader.spec(value).rank
    fill_value = call.arguments.get("constant_values")
    return reader.add(call, "pad", [value], config={"pad_width": width, "value": float(fill_value or 0)})


def _clip(operation: Any, rank: int) -> dict[str, ConfigValue]:
    return {"minimum": _to_config(operation.x_min), "maximum": _to_config(operation.x_max)}


def _cast(reader: GraphReader, call: LayerCall) -> Sequence[ArrayReference]:
    (value,) = _operands(reader, call)[:1]
    dtype = specs_of(call)[0].dtype
    if not isinstance(value, ArrayReference):
        raise UnreadableError("casts a number")
    if reader.spec(value).dtype == dtype:
        return [value]
    return reader.add(call, "cast", [value], config={"dtype": dtype})


def _one_hot(reader: GraphReader, call: LayerCall) -> Sequence[ArrayReference]:
    operation, value = call.operation, call.arguments["x"]
    (spec,) = specs_of(call)
    if getattr(operation, "sparse", False):
        raise UnreadableError("is sparse")
    config: dict[str, ConfigValue] = {
        "num_classes": int(operation.num_classes),
        "axis": operation.axis % spec.rank,
        "dtype": spec.dtype,
    }
    return reader.add(call, "one_hot", [value], config=config)


def _matmul(reader: GraphReader, call: LayerCall) -> Sequence[ArrayReference]:
    return _product(reader, call, "matmul", {})


def _einsum(reader: GraphReader, call: LayerCall) -> Sequence[ArrayReference]:
    return _product(reader, call, "einsum", {"equation": call.operation.subscripts})


def _product(
    reader: GraphReader, call: LayerCall, kind: str, config: dict[str, ConfigValue]
) -> Sequence[ArrayReference]:
    """Read a product of arrays. One of quantised arrays is computed in floats, which do not overflow as int8 does.

    Sums below 2**24, of about a thousand products of int8, are exact.
    """
    operands, (result,) = _cast_integers(reader, call, _operands(reader, call)), specs_of(call)
    arrays = [operand for operand in operands if isinstance(operand, ArrayReference)]
    if all(reader.spec(array).dtype not in _SMALL_INTEGERS for array in arrays):
        return reader.add(call, kind, operands, config=config)
    floats = [reader.cast(call, operand, "float32", f"float_{index}") for index, operand in enumerate(operands)]
    (product,) = reader.add(call, kind, floats, config=config, outputs=[Spec(result.shape, "float32")])
    return [reader.cast(call, product, result.dtype, "product")]


def _cumsum(operation: Any, rank: int) -> dict[str, ConfigValue]:
    if getattr(operation, "dtype", None) is not None:
        raise UnreadableError("its option dtype is not covered")
    return _axis(operation, rank)


def _round(operation: Any, rank: int) -> dict[str, ConfigValue]:
    if operation.decimals:
        raise UnreadableError("its option decimals is not covered")
    return {}


def _like(reader: GraphReader, call: LayerCall) -> Sequence[ArrayReference]:
    kind = "zeros_like" if type(call.operation).__name__ == "ZerosLike" else "ones_like"
    if specs_of(call)[0].dtype != reader.spec(call.arguments["x"]).dtype:
        raise UnreadableError("changes the dtype")
    return reader.add(call, kind, [call.arguments["x"]])


def _snake(name: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() and i else letter.lower() for i, letter in enumerate(name))


_SMALL_INTEGERS = ("int8", "uint8", "int16", "uint16")

_SAME_NAME = (
    *("Add", "Subtract", "Multiply", "Divide", "Maximum", "Minimum", "Power", "FloorDivide", "Mod"),
    *("Sign", "Square", "Sqrt", "Rsqrt", "Exp", "Expm1", "Log", "Log1p", "Reciprocal", "Negative"),
    *("Sin", "Cos", "Tan", "Floor", "Ceil", "Erf", "StopGradient"),
    *("Relu6", "Sigmoid", "SparseSigmoid", "Softplus", "Softsign", "SparsePlus", "Silu", "LogSigmoid"),
    *("HardSigmoid", "HardSilu", "Selu", "TanhShrink", "HardTanh", "Tanh", "Mish"),
)
_COMPARISONS = (
    *("Equal", "NotEqual", "Greater", "GreaterEqual", "Less", "LessEqual"),
    *("LogicalAnd", "LogicalOr", "LogicalNot", "Isnan"),
)

OPERATIONS: dict[str, LayerReader] = {
    **{name: _operation_reader(_snake(name)) for name in _SAME_NAME},
    **{name: _operation_reader(_snake(name), cast_integers=False) for name in _COMPARISONS},
    "TrueDivide": _operation_reader("divide"),
    "Absolute": _operation_reader("abs"),
    "Abs": _operation_reader("abs"),
    "Round": _operation_reader("round", _round),
    "Where": _operation_reader("where", cast_integers=False),
    **{name: _operation_reader(name.lower(), _reduction) for name in ("Mean", "Sum", "Max", "Min", "Var", "Std")},
    **{name: _operation_reader(name.lower(), _reduction, cast_integers=False) for name in ("Any", "All")},
    "Amax": _operation_reader("max", _reduction),
    "Amin": _operation_reader("min", _reduction),
    "Prod": _operation_reader("prod", _reduction),
    "Argmax": _operation_reader("argmax", _arg_reduction, cast_integers=False),
    "Argmin": _operation_reader("argmin", _arg_reduction, cast_integers=False),
    "Clip": _operation_reader("clip", _clip),
    "Cumsum": _operation_reader("cumsum", _cumsum),
    "Relu": _operation_reader("relu", _relu),
    "ReLU": _operation_reader("relu", _relu),
    "LeakyRelu": _operation_reader("leaky_relu", _attributes("negative_slope")),
    "Elu": _operation_reader("elu", _attributes("alpha")),
    "Celu": _operation_reader("celu", _attributes("alpha")),
    "Gelu": _operation_reader("gelu", _attributes("approximate")),
    "Squareplus": _operation_reader("squareplus", _attributes("b")),
    "SoftShrink": _operation_reader("soft_shrink", _attributes("threshold")),
    "HardShrink": _operation_reader("hard_shrink", _attributes("threshold")),
    "Threshold": _operation_reader("threshold", _attributes("threshold", "default_value")),
    "Glu": _operation_reader("glu", _axis),
    "Softmax": _operation_reader("softmax", _softmax_axis),
    "LogSoftmax": _operation_reader("log_softmax", _softmax_axis),
    "Sparsemax": _operation_reader("sparsemax"),
    "Concatenate": _operation_reader("concatenate", _axis),
    "Stack": _operation_reader("stack", _new_axis),
    "ExpandDims": _operation_reader("expand_dims", _new_axes, cast_integers=False),
    "Flip": _operation_reader("flip", _axes),
    "Repeat": _operation_reader("repeat", lambda operation, rank: {**_axis(operation, rank), **_repeats(operation)}),
    "Tile": _operation_reader("tile", lambda operation, rank: {"repeats": to_tuple(operation.repeats)}),
    "Squeeze": _squeeze,
    "Split": _split,
    "Reshape": _reshape,
    "Transpose": _transpose,
    "Swapaxes": _swapaxes,
    "GetItem": _get_item,
    "BroadcastTo": _broadcast_to,
    "Take": _take,
    **COMPOSED_OPERATIONS,
    **CONVOLUTIONS,
    "Pad": _pad,
    "Cast": _cast,
    "OneHot": _one_hot,
    "Einsum": _einsum,
    "Matmul": _matmul,
    "ZerosLike": _like,
    "OnesLike": _like,
}


def _repeats(operation: Any) -> dict[str, ConfigValue]:
    if not isinstance(operation.repeats, int):
        raise UnreadableError("repeats that differ between elements are not covered")
    return {"repeats": operation.repeats}
