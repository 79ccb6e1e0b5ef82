"""Translate TensorFlow's functions in a model of Keras 2, such as `x + 1`, into the operations of Keras 3.

Keras 2 keeps a call of `tf.math.add` in a model as a layer of the class `TFOpLambda`; Keras 3 has an operation instead.
The table below names the functions that mean the same there. Any other stays in the model, and is refused by name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ....storage.safe_json import objects_in

FUNCTION_LAYERS = ("TFOpLambda", "SlicingOpLambda")
CONSTANT = "_CONSTANT_VALUE"
_SLICE = "__operators__.getitem"
# What may be said in a call without changing it.
_IGNORED = {"conjugate": False}


@dataclass(frozen=True)
class _Operation:
    """An operation of Keras 3.

    Attributes:
        area: the module in `keras.ops` that it is defined in.
        name: of its class.
        operands: arguments of TensorFlow's function that are the further operands.
        settings: its other arguments, by the name that Keras 3 has for them.
        defaults: TensorFlow's, where they are not Keras'.
    """

    area: str
    name: str
    operands: tuple[str, ...] = ()
    settings: Mapping[str, str] = field(default_factory=dict)
    defaults: Mapping[str, Any] = field(default_factory=dict)


_AXIS = {"axis": "axis"}
_REDUCTION = {"axis": "axis", "keepdims": "keepdims"}
_CLIPPING = {"clip_value_min": "x_min", "clip_value_max": "x_max"}
_BINARY = {
    "add": "Add",
    "subtract": "Subtract",
    "multiply": "Multiply",
    "truediv": "TrueDivide",
    "divide": "TrueDivide",
    "pow": "Power",
    "maximum": "Maximum",
    "minimum": "Minimum",
}
_UNARY = {
    "negative": "Negative",
    "abs": "Absolute",
    "exp": "Exp",
    "log": "Log",
    "sqrt": "Sqrt",
    "square": "Square",
    "tanh": "Tanh",
    "sin": "Sin",
    "cos": "Cos",
}
_ACTIVATIONS = {"relu": "Relu", "relu6": "Relu6", "silu": "Silu", "selu": "Selu", "softplus": "Softplus"}
_OPERATIONS = {
    "__operators__.add": _Operation("numpy", "Add", ("y",)),
    **{f"math.{function}": _Operation("numpy", name, ("y",)) for function, name in _BINARY.items()},
    **{f"math.{function}": _Operation("numpy", name) for function, name in _UNARY.items()},
    **{f"nn.{function}": _Operation("nn", name) for function, name in _ACTIVATIONS.items()},
    **{
        f"math.reduce_{name.lower()}": _Operation("numpy", name, (), _REDUCTION)
        for name in ("Mean", "Sum", "Max", "Min", "Prod")
    },
    "math.sigmoid": _Operation("nn", "Sigmoid"),
    "nn.softmax": _Operation("nn", "Softmax", (), _AXIS),
    "nn.gelu": _Operation("nn", "Gelu", (), {"approximate": "approximate"}, {"approximate": False}),
    "concat": _Operation("numpy", "Concatenate", (), _AXIS),
    "stack": _Operation("numpy", "Stack", (), _AXIS, {"axis": 0}),
    "reshape": _Operation("numpy", "Reshape", (), {"shape": "newshape"}),
    "transpose": _Operation("numpy", "Transpose", (), {"perm": "axes"}),
    "compat.v1.transpose": _Operation("numpy", "Transpose", (), {"perm": "axes"}),
    "expand_dims": _Operation("numpy", "ExpandDims", (), _AXIS),
    "squeeze": _Operation("numpy", "Squeeze", (), _AXIS),
    "compat.v1.squeeze": _Operation("numpy", "Squeeze", (), _AXIS),
    "clip_by_value": _Operation("numpy", "Clip", (), _CLIPPING),
    "cast": _Operation("core", "Cast", (), {"dtype": "dtype"}),
    "linalg.matmul": _Operation("numpy", "Matmul", ("b",)),
}


def untranslated_functions(config: Any) -> list[str]:
    """Return the functions of TensorFlow that are left in a translated configuration, as `tf.signal.fft`."""
    layers = [node for node in objects_in(config) if node.get("class_name") in FUNCTION_LAYERS]
    settings = [layer["config"] for layer in layers if isinstance(layer.get("config"), dict)]
    return sorted({f"tf.{entry.get('function')}" for entry in settings})


def translate_function(
    layer: Mapping[str, Any], operands: Sequence[Any], named: Mapping[str, Any], is_list: bool
) -> dict[str, Any] | None:
    """Return the operation of Keras 3 for a call of TensorFlow's function, or None if there is none.

    Args:
        layer: the function's layer.
        operands: the tensors and constants that it is called with, in Keras 3's form.
        named: its named arguments, likewise.
        is_list: whether its operands are one argument, a list.
    """
    config = layer.get("config")
    function = config.get("function") if isinstance(config, dict) else None
    arguments = {key: value for key, value in named.items() if key != "name" and _IGNORED.get(key, ...) != value}
    if function == _SLICE:
        positions = arguments.pop("slice_spec", None)
        if arguments or not isinstance(positions, list):
            return None
        return _operation(layer, "numpy", "GetItem", {}, [operands[0], [_position(entry) for entry in positions]])
    operation = _OPERATIONS.get(function) if isinstance(function, str) else None
    if operation is None or not set(arguments) <= {*operation.operands, *operation.settings}:
        return None
    further = [_constant(arguments[name]) for name in operation.operands if name in arguments]
    settings = {own: arguments[name] for name, own in operation.settings.items() if name in arguments}
    first = [list(operands)] if is_list else list(operands)
    return _operation(layer, operation.area, operation.name, {**operation.defaults, **settings}, [*first, *further])


def _operation(
    layer: Mapping[str, Any], area: str, name: str, settings: Mapping[str, Any], operands: list[Any]
) -> dict[str, Any]:
    return {
        "module": f"keras.src.ops.{area}",
        "class_name": name,
        "config": {"name": layer["name"], **settings},
        "registered_name": name,
        "name": layer["name"],
        "inbound_nodes": [{"args": operands, "kwargs": {}}],
    }


def operand(entry: Sequence[Any], tensor: Callable[[Sequence[Any]], Any]) -> Any:
    """Return what a call's entry stands for: a constant, or a tensor."""
    return _constant(entry[2]) if entry[0] == CONSTANT else tensor(entry)


def _constant(value: Any) -> Any:
    """Return a constant; a list of numbers as an array, which has a shape."""
    return {"class_name": "__numpy__", "config": {"value": value, "dtype": "float32"}} if _is_array(value) else value


def _is_array(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(entry, (int, float)) or _is_array(entry) for entry in value)


def _position(entry: Any) -> Any:
    if entry == "Ellipsis":
        return {"class_name": "__ellipsis__", "config": {}}
    return {"class_name": "__slice__", "config": entry} if isinstance(entry, dict) else entry
