"""Translate an ONNX graph into a `ForeignGraph`; `operators.py` translates the operators."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ....errors import FileError, PortError
from ..converted_nodes import Targets, converted_node
from ..foreign_graph import ForeignGraph, ForeignNode, GraphInput, Ref, Weight, simplify
from ..unsupported import refuse
from . import file
from .call import OnnxCall
from .control_flow import ControlFlow
from .operators import OPERATORS

_TARGET = "onnx:"  # of a converter
_DOMAINS = ("", "ai.onnx")
_INPUT_DTYPES = {1: "float32", 2: "uint8", 6: "int32", 7: "int64", 9: "bool"}


def to_graph(path: Path, converter_targets: Targets = ()) -> ForeignGraph:
    """Read the graph in an ONNX file.

    Args:
        path: the file.
        converter_targets: the operators for which the user has converters.

    Raises:
        PortError: the graph has unsupported operators; the message names each.
        FileError: the file has another format, is damaged, or is hostile.
    """
    model = file.load(path)
    try:
        return _translate(model, path, converter_targets)
    except (KeyError, IndexError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise FileError(
            f"{path} is no ONNX file that can be read: {type(error).__name__} {str(error)[:100]}"
        ) from error


def _translate(model: Any, path: Path, converter_targets: Targets) -> ForeignGraph:
    _require_printable(model, path)
    ControlFlow(lambda array: file.array(array, path), lambda node: _constant_of(node, path)).write_out(model.graph)
    names = map(_operator, model.graph.node)
    known = (*OPERATORS, "Constant")
    refuse([name for name in names if name not in known and _TARGET + name not in converter_targets], path, _TARGET)
    weights = _weights(model, path)
    version = max((each.version for each in model.opset_import if each.domain in _DOMAINS), default=1)
    inputs = tuple(_graph_input(each, path) for each in model.graph.input if each.name not in weights)
    nodes: list[ForeignNode] = []
    for node in model.graph.node:
        if node.op_type != "Constant":
            call = _call(node, version, weights, path)
            nodes += (
                [_converted(call)] if _TARGET + call.operator in converter_targets else OPERATORS[call.operator](call)
            )
            weights |= call.new_weights
    outputs = tuple(each.name for each in model.graph.output)
    if not inputs:
        raise PortError(f"{path} has no inputs: there is nothing to rebuild")
    return simplify(ForeignGraph(path.stem, "onnx", inputs, tuple(nodes), outputs, weights))


def _require_printable(model: Any, path: Path) -> None:
    """Raise a FileError for a name with unprintable characters, which could garble a message."""
    names = [name for node in model.graph.node for name in (node.op_type, node.domain, *node.input, *node.output)]
    names += [each.name for part in ("input", "output", "initializer") for each in getattr(model.graph, part)]
    if strange := next((name for name in names if not name.isprintable()), None):
        raise FileError(f"{path} contains the name {strange[:60]!r}, which is not printable: it is damaged or hostile")


def _operator(node: Any) -> str:
    return str(node.op_type if node.domain in _DOMAINS else f"{node.domain}.{node.op_type}")


def _weights(model: Any, path: Path) -> dict[str, Weight]:
    """Return all arrays of the graph. A float array is trainable if a layer owns it; a constant is not."""
    if model.graph.sparse_initializer:
        raise PortError(f"{path} has sparse arrays, which are not covered")
    weights = {}
    for each in model.graph.initializer:
        weights[each.name] = _weight(each.name, file.array(each, path), path, constant=False)
    for node in model.graph.node:
        if node.op_type == "Constant" and node.domain in _DOMAINS:
            value = _constant_of(node, path)
            if value is None:
                raise PortError(f"{path} has a constant of text or of a sparse array, which is not covered")
            weights[node.output[0]] = _weight(node.output[0], value, path, constant=True)
    return weights


def _constant_of(node: Any, path: Path) -> np.ndarray | None:
    """Return the array of a `Constant` node; None for another node, or for a constant of text."""
    if node.op_type != "Constant" or node.domain not in _DOMAINS:
        return None
    value = next(iter(_attributes(node, path).values()), None)
    return np.asarray(value) if isinstance(value, (np.ndarray, int, float, tuple)) else None


def _weight(name: str, value: np.ndarray, path: Path, *, constant: bool) -> Weight:
    if value.dtype.kind == "f" and value.dtype != np.float32:
        if value.size > 1 and not constant:
            raise PortError(f"{path} computes in {value.dtype.name} ({name}), and only float32 is covered")
        value = value.astype("float32")
    return Weight(name, value, value.dtype == np.float32 and value.size > 1 and not constant, standalone=False)


def _graph_input(value: Any, path: Path) -> GraphInput:
    kind = value.type.tensor_type
    if kind.elem_type not in _INPUT_DTYPES:
        raise PortError(f"{path}: the dtype of its input {value.name} is not covered (ONNX dtype {kind.elem_type})")
    shape = tuple(int(d.dim_value) if d.HasField("dim_value") and d.dim_value > 0 else None for d in kind.shape.dim)
    if not shape:
        raise PortError(f"{path}: its input {value.name} has no axes: give it a batch axis")
    batch = shape.index(None) if None in shape and shape[0] is not None else 0
    return GraphInput(value.name, shape, _INPUT_DTYPES[kind.elem_type], batch, shape[batch])


def _call(node: Any, version: int, weights: Mapping[str, Weight], path: Path) -> OnnxCall:
    inputs = tuple(Ref(name) if name else None for name in node.input)
    return OnnxCall(_operator(node), inputs, tuple(node.output), _attributes(node, path), version, weights)


def _converted(call: OnnxCall) -> ForeignNode:
    """Return the node of an operator that the user's converter computes."""
    inputs = {f"input {place}": operand for place, operand in enumerate(call.inputs)}
    target, attributes = _TARGET + call.operator, dict(call.attributes)
    return converted_node(target, {**inputs, **attributes}, call.outputs, call.operator, len(inputs))


def _attributes(node: Any, path: Path) -> dict[str, Any]:
    """Return the attributes of a node as plain Python values."""
    return dict(_attribute(each, path) for each in node.attribute)


def _attribute(attribute: Any, path: Path) -> tuple[str, Any]:
    import onnx

    kind = onnx.AttributeProto
    if attribute.type == kind.TENSOR:
        return attribute.name, file.array(attribute.t, path)
    value = onnx.helper.get_attribute_value(attribute)
    if attribute.type in (kind.INTS, kind.FLOATS):
        return attribute.name, tuple(value)
    if attribute.type == kind.STRING:
        return attribute.name, value.decode("utf-8", "replace")
    if attribute.type == kind.STRINGS:
        return attribute.name, tuple(each.decode("utf-8", "replace") for each in value)
    return attribute.name, value
