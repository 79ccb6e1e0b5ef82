"""Translate a `torch.export` program into a `ForeignGraph`; `aten.py` translates the operators.

The parameters of the program are trainable weights; buffers and constants are not trainable.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ....errors import FileError, PortError
from ..converted_nodes import Targets, converted_node
from ..foreign_graph import ForeignGraph, ForeignNode, GraphInput, Operand, Ref, Weight, rename_refs, simplify
from ..unsupported import refuse
from ..weight_parts import take_apart
from .aten import IGNORED, OPERATORS, Arguments
from .program_file import DAMAGE, ExportedProgram, ProgramArray

_PREFIX = "torch.ops."
_TARGET = "torch:"  # of a converter
_SLICE = "aten.slice.Tensor"
# Operators that fill an array with a number, in place; a part of an array is covered where it is a constant.
_FILLS = ("aten.fill_.Tensor", "aten.fill_.Scalar", "aten.zero_.default")
# torch's numbers of dtypes. Only float32 arrays are accepted, but scalars may have any float dtype.
_DTYPES = {1: "uint8", 2: "int8", 3: "int16", 4: "int32", 5: "int64", 6: "float16", 7: "float32", 8: "float64"}
_DTYPES |= {12: "bool", 13: "bfloat16"}
_SPECIAL = {"Infinity": float("inf"), "-Infinity": float("-inf"), "NaN": float("nan")}
# Keras' own export contains each weight a second time, with this prefix.
_DUPLICATE_PREFIX = ("_functional.",)


def to_graph(program: ExportedProgram, path: Path, converter_targets: Targets = ()) -> ForeignGraph:
    """Translate the program's graph.

    Args:
        converter_targets: the operators for which the user has converters.

    Raises:
        PortError: the program has unsupported operators, all named in the message; or it was exported in training mode.
        FileError: the program is damaged.
    """
    try:
        return _translate(program, path, converter_targets)
    except DAMAGE as error:
        raise FileError(f"{path} is no exported program: {type(error).__name__} {str(error)[:100]}") from error


def _translate(program: ExportedProgram, path: Path, converter_targets: Targets) -> ForeignGraph:
    refuse(_unsupported_operators(program, converter_targets), path, _TARGET)
    weights, inputs = _signature(program, path)
    changed: dict[str, str] = {}
    nodes = list(_nodes(program, changed, converter_targets))
    returned = (_output(spec, path) for spec in program.outputs)
    outputs = tuple(changed.get(name, name) for name in returned)
    return take_apart(simplify(ForeignGraph(path.stem, "torch", inputs, tuple(nodes), outputs, weights)))


def _unsupported_operators(program: ExportedProgram, converter_targets: Targets) -> list[str]:
    """Return the unsupported operators, with repetitions."""
    unknown = []
    for node in program.graph["nodes"]:
        name = _operator(node)
        if name not in OPERATORS and name not in IGNORED and _TARGET + name not in converter_targets:
            unknown.append(name)
    return unknown


def _operator(node: dict[str, Any]) -> str:
    """Return the name of an operator, such as `aten.linear.default`, or `_operator.mul` for lengths."""
    return str(node["target"]).removeprefix(_PREFIX)


def _nodes(program: ExportedProgram, changed: dict[str, str], converter_targets: Targets) -> Iterator[ForeignNode]:
    """Yield the translation of every operator. After an in-place operator, its first array refers to its output.

    Args:
        changed: is filled: for each array that was changed in place, the name of its last value.

    Raises:
        PortError: an operator changes a part of an array in another way than by a number that fills it.
    """
    parts: dict[str, tuple[str, tuple[Operand, ...]]] = {}
    for node in program.graph["nodes"]:
        name = _operator(node)
        values = {str(each["name"]): _argument(each["arg"]) for each in node["inputs"]}
        outputs = tuple(name for output in node["outputs"] for name in _output_names(output))
        if name in IGNORED or not outputs:
            continue
        first = next(iter(values.values()), None)
        array = first.name if isinstance(first, Ref) else ""
        now = {key: rename_refs(value, changed) for key, value in values.items()}
        arguments = Arguments(name, now, outputs)
        in_place = name.split(".")[1].endswith("_") and bool(array)
        if in_place and array in parts:
            whole, bounds = parts[array]
            yield _assigned(arguments, changed.get(whole, whole), bounds)
            _change(changed, whole, outputs[0])
            continue
        for translated in _translations(arguments, converter_targets):
            yield replace(translated, kind="same") if _is_noop_cast(translated, program) else translated
        if in_place:
            _change(changed, array, outputs[0])
        elif name == _SLICE and array:
            whole, bounds = parts.get(array, (array, ()))
            cut = tuple(arguments(key, default) for key, default in (("dim", 0), ("start", 0), ("end", None)))
            parts[outputs[0]] = whole, (*bounds, (*cut, arguments("step", 1)))


def _translations(arguments: Arguments, converter_targets: Targets) -> Iterable[ForeignNode]:
    """Return the nodes of an operator: the user's own converter comes first."""
    operator = arguments.operator
    if _TARGET + operator in converter_targets:
        return [converted_node(_TARGET + operator, arguments.values, arguments.outputs, operator)]
    return OPERATORS[operator](arguments)


def _change(changed: dict[str, str], name: str, output: str) -> None:
    """Let an array that was changed in place, and its earlier names, refer to the output."""
    before = changed.get(name, name)
    changed |= {each: output for each, last in changed.items() if last == before}
    changed |= {name: output, before: output}


def _assigned(arguments: Arguments, whole: str, bounds: tuple[Operand, ...]) -> ForeignNode:
    """Return the node that fills a part of an array.

    Args:
        whole: the array.
        bounds: (axis, start, stop, step) of the slices of slices that cut the part.
    """
    if arguments.operator not in _FILLS:
        raise PortError(
            f"{arguments.operator} ({arguments.outputs[0]}) changes a part of an array in place: build the whole by "
            "torch.cat or torch.where"
        )
    return arguments.node("assign", Ref(whole), arguments("value", 0), parts=bounds)


def _is_noop_cast(node: ForeignNode, program: ExportedProgram) -> bool:
    """Return whether a node casts an array to its own dtype."""
    if node.kind != "cast" or not isinstance(node.inputs[0], Ref):
        return False
    meta = program.graph["tensor_values"].get(node.inputs[0].name)
    return meta is not None and _DTYPES.get(meta["dtype"]) == node.attributes["dtype"]


def _output_names(output: dict[str, Any]) -> list[str]:
    """Return the names in an output of an operator."""
    argument = _argument(output)
    return [each.name for each in (argument if isinstance(argument, tuple) else (argument,)) if isinstance(each, Ref)]


def _argument(argument: dict[str, Any]) -> Operand:
    """Convert an argument of an operator to plain Python."""
    ((kind, value),) = argument.items()
    if kind in ("as_none", "as_memory_format", "as_layout", "as_device"):
        return None
    if kind in ("as_tensor", "as_sym_int", "as_sym_bool", "as_sym_float"):
        return _single(value)
    if kind in ("as_tensors", "as_sym_ints", "as_optional_tensors"):
        return tuple(_argument(each) if "as_tensor" in each or "as_none" in each else _single(each) for each in value)
    if kind == "as_scalar_type":
        return _DTYPES.get(value, f"number {value}")
    if kind in ("as_ints", "as_floats", "as_bools"):
        return tuple(_number(each) for each in value)
    if kind in ("as_int", "as_float", "as_bool", "as_string"):
        return _number(value)
    raise PortError(f"an operator takes {kind.removeprefix('as_')}, which has no counterpart in Keras")


def _single(value: dict[str, Any]) -> Operand:
    if "as_int" in value:
        return int(value["as_int"])
    return Ref(str(value["as_name"] if "as_name" in value else value["name"]))


def _number(value: Any) -> Any:
    if isinstance(value, (list, dict)) or value is None:
        raise TypeError(f"{value!r} is no number")
    return _SPECIAL.get(value, value) if isinstance(value, str) else value


# --- inputs, weights and outputs -------------------------------------------------------------------------------------


def _signature(program: ExportedProgram, path: Path) -> tuple[dict[str, Weight], tuple[GraphInput, ...]]:
    """Return the weights, by their names in the graph, and the inputs."""
    weights, inputs = {}, []
    for spec in program.inputs:
        ((kind, value),) = spec.items()
        if kind == "user_input" and "as_tensor" in value["arg"]:
            inputs.append(_graph_input(program, str(value["arg"]["as_tensor"]["name"]), path))
        elif f"{kind}_name" in value and kind in ("parameter", "buffer", "tensor_constant"):
            name = str(value[f"{kind}_name"])
            weights[str(value["arg"]["name"])] = _weight(name, program.arrays[name], path)
        else:
            raise PortError(f"{path} takes a {kind.replace('_', ' ')} beside arrays: export it with array inputs only")
    if not inputs:
        raise PortError(f"{path} has no array inputs: there is nothing to rebuild")
    return _merge_duplicates(weights), tuple(inputs)


def _weight(name: str, stored: ProgramArray, path: Path) -> Weight:
    value = stored.value
    if value.dtype.kind == "f" and value.dtype != np.float32:
        if value.ndim:
            raise PortError(f"{path} computes in {value.dtype.name}, and only float32 is covered: module.float() first")
        value = value.astype("float32")
    return Weight(name, value, stored.parameter, frozen=stored.frozen)


def _merge_duplicates(weights: dict[str, Weight]) -> dict[str, Weight]:
    """Replace each constant that equals a parameter by that parameter, because Keras exports weights twice."""
    known: dict[tuple[tuple[int, ...], bytes], Weight] = {}
    for weight in weights.values():
        if weight.trainable and weight.value.ndim and not weight.name.startswith(_DUPLICATE_PREFIX):
            known.setdefault((weight.value.shape, weight.value.tobytes()), weight)
    if not known or all(weight.trainable for weight in weights.values()):
        return weights
    return {
        name: weight if weight.trainable else known.get((weight.value.shape, weight.value.tobytes()), weight)
        for name, weight in weights.items()
    }


def _graph_input(program: ExportedProgram, name: str, path: Path) -> GraphInput:
    meta = program.graph["tensor_values"][name]
    dtype = _DTYPES.get(meta["dtype"], "unknown")
    if dtype not in ("float32", "int32", "int64", "bool", "uint8"):
        raise PortError(f"{path}: its input {name} is {dtype}, and only float32, integers and bool are covered")
    shape = tuple(int(each["as_int"]) if "as_int" in each else None for each in meta["sizes"])
    if not shape:
        raise PortError(f"{path}: its input {name} is a single number: give it a batch axis")
    batch = shape.index(None) if None in shape and shape[0] is not None else 0
    return GraphInput(name, shape, dtype, batch, shape[batch])


def _output(spec: dict[str, Any], path: Path) -> str:
    ((kind, value),) = spec.items()
    if kind != "user_output":
        raise PortError(
            f"{path} was exported in training mode (it has a {kind.replace('_', ' ')}): call module.eval() first"
        )
    argument = _argument(value["arg"])
    if not isinstance(argument, Ref):
        raise PortError(f"{path} returns {argument!r} beside arrays: export it with array outputs only")
    return argument.name
