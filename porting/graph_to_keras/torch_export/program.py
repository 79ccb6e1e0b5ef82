"""A `torch.export` program in the neutral form of `foreign_graph.py`, its operators by `aten.py`.

Training of the form's weights is what their names in the program say: parameters train, buffers and constants do not.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ....errors import FileError, PortError
from ..foreign_graph import Form, Given, Node, Operand, Ref, Weight, renamed, simplified
from ..unsupported import refuse
from .aten import IGNORED, OPERATORS, Arguments
from .program_file import DAMAGE, Program, Stored

_PREFIX = "torch.ops."
# torch's numbers for dtypes; a float that is not float32 is refused in what is computed, not in a scalar.
_DTYPES = {1: "uint8", 2: "int8", 3: "int16", 4: "int32", 5: "int64", 6: "float16", 7: "float32", 8: "float64"}
_DTYPES |= {12: "bool", 13: "bfloat16"}
_SPECIAL = {"Infinity": float("inf"), "-Infinity": float("-inf"), "NaN": float("nan")}
# Keras' own export has each weight a second time, under this name.
_TWICE = ("_functional.",)


def to_form(program: Program, path: Path) -> Form:
    """The program's graph.

    Raises:
        PortError: it has operators that are not covered, each is named; or it was exported in training.
        FileError: it is damaged.
    """
    try:
        return _form(program, path)
    except DAMAGE as error:
        raise FileError(f"{path} is no exported program: {type(error).__name__} {str(error)[:100]}") from error


def _form(program: Program, path: Path) -> Form:
    refuse(_unknown(program), path)
    weights, given = _signature(program, path)
    nodes = list(_nodes(program))
    outputs = tuple(_output(spec, path) for spec in program.outputs)
    return simplified(Form(path.stem, "torch", given, tuple(nodes), outputs, weights))


def _unknown(program: Program) -> list[str]:
    """The operators that are not covered, once for each time that they are there."""
    found = []
    for node in program.graph["nodes"]:
        name = _operator(node)
        if name not in OPERATORS and name not in IGNORED:
            found.append(name)
    return found


def _operator(node: dict[str, Any]) -> str:
    """`aten.linear.default`, or for arithmetic with lengths `_operator.mul`."""
    return str(node["target"]).removeprefix(_PREFIX)


def _nodes(program: Program) -> Iterator[Node]:
    """Every operator translated. One that works in place also gives what its first array is called from there on."""
    changed: dict[str, str] = {}
    for node in program.graph["nodes"]:
        name = _operator(node)
        values = {str(each["name"]): _argument(each["arg"]) for each in node["inputs"]}
        outputs = tuple(name for output in node["outputs"] for name in _named(output))
        if name in IGNORED or not outputs:
            continue
        now = {key: renamed(value, changed) for key, value in values.items()}
        for made in OPERATORS[name](Arguments(name, now, outputs)):
            yield replace(made, kind="same") if _is_empty_cast(made, program) else made
        if name.split(".")[1].endswith("_") and isinstance(first := next(iter(values.values())), Ref):
            before = changed.get(first.name, first.name)
            changed |= {each: outputs[0] for each, last in changed.items() if last == before}
            changed |= {first.name: outputs[0], before: outputs[0]}


def _is_empty_cast(node: Node, program: Program) -> bool:
    """Whether it casts an array to what it is."""
    if node.kind != "cast" or not isinstance(node.inputs[0], Ref):
        return False
    meta = program.graph["tensor_values"].get(node.inputs[0].name)
    return meta is not None and _DTYPES.get(meta["dtype"]) == node.attributes["dtype"]


def _named(output: dict[str, Any]) -> list[str]:
    """The names of what an operator gives."""
    found = _argument(output)
    return [each.name for each in (found if isinstance(found, tuple) else (found,)) if isinstance(each, Ref)]


def _argument(argument: dict[str, Any]) -> Operand:
    """What an operator is given, as plain Python."""
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


# --- what goes in and comes out -------------------------------------------------------------------------------------


def _signature(program: Program, path: Path) -> tuple[dict[str, Weight], tuple[Given, ...]]:
    """The weights by the names that the graph has for them, and the inputs."""
    weights, given = {}, []
    for spec in program.inputs:
        ((kind, value),) = spec.items()
        if kind == "user_input" and "as_tensor" in value["arg"]:
            given.append(_given(program, str(value["arg"]["as_tensor"]["name"]), path))
        elif f"{kind}_name" in value and kind in ("parameter", "buffer", "tensor_constant"):
            name = str(value[f"{kind}_name"])
            weights[str(value["arg"]["name"])] = _weight(name, program.arrays[name], path)
        else:
            raise PortError(f"{path} takes a {kind.replace('_', ' ')} beside arrays: export it with arrays alone")
    if not given:
        raise PortError(f"{path} takes no arrays: there is nothing to rebuild")
    return _named_by_parameters(weights), tuple(given)


def _weight(name: str, stored: Stored, path: Path) -> Weight:
    value = stored.value
    if value.dtype.kind == "f" and value.dtype != np.float32:
        if value.ndim:
            raise PortError(f"{path} computes in {value.dtype.name}, and only float32 is covered: module.float() first")
        value = value.astype("float32")
    return Weight(name, value, stored.parameter)


def _named_by_parameters(weights: dict[str, Weight]) -> dict[str, Weight]:
    """The weights, where a constant is one of the parameters over again under that one's name: Keras exports so."""
    known: dict[tuple[tuple[int, ...], bytes], Weight] = {}
    for weight in weights.values():
        if weight.trainable and weight.value.ndim and not weight.name.startswith(_TWICE):
            known.setdefault((weight.value.shape, weight.value.tobytes()), weight)
    if not known or all(weight.trainable for weight in weights.values()):
        return weights
    return {
        name: weight if weight.trainable else known.get((weight.value.shape, weight.value.tobytes()), weight)
        for name, weight in weights.items()
    }


def _given(program: Program, name: str, path: Path) -> Given:
    meta = program.graph["tensor_values"][name]
    dtype = _DTYPES.get(meta["dtype"], "unknown")
    if dtype not in ("float32", "int32", "int64", "bool", "uint8"):
        raise PortError(f"{path}: its input {name} is {dtype}, and only float32, integers and bool are covered")
    shape = tuple(int(each["as_int"]) if "as_int" in each else None for each in meta["sizes"])
    if not shape:
        raise PortError(f"{path}: its input {name} is a single number: give it an axis of samples")
    batch = shape.index(None) if None in shape and shape[0] is not None else 0
    return Given(name, shape, dtype, batch, shape[batch])


def _output(spec: dict[str, Any], path: Path) -> str:
    ((kind, value),) = spec.items()
    if kind != "user_output":
        raise PortError(
            f"{path} was exported in training (it has a {kind.replace('_', ' ')}): call module.eval() before"
        )
    found = _argument(value["arg"])
    if not isinstance(found, Ref):
        raise PortError(f"{path} gives {found!r} beside arrays: export it with arrays alone")
    return found.name
