"""Read the file of a `torch.export` program (`.pt2`) as data: JSON and plain arrays, without PyTorch.

`torch.export.load` is not safe for a stranger's file. If the file says so, it unpickles example inputs, weights and
constants, lets SymPy evaluate lengths as Python, writes guards and names into Python source, imports the types of
nested inputs, and loads compiled libraries. This module therefore loads nothing: the graph is JSON, the arrays are raw
bytes, and anything else is refused. For PyTorch, `clean` writes a new file from the parsed content.
"""

from __future__ import annotations

import io
import json
import math
import re
import sys
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ....errors import FileError
from ....storage import safe_json, safe_zip
from ....storage.budget import DOCUMENT, PROGRAM

# Torch 2.13 writes schema 8.20; another major version is not compatible.
_SCHEMA, _FORMAT, _VERSION = 8, "pt2", "0"
_DTYPES = {1: "u1", 2: "i1", 3: "<i2", 4: "<i4", 5: "<i8", 6: "<f2", 7: "<f4", 8: "<f8", 12: "?"}
_KNOWN = ("data/weights/", "data/constants/", "data/sample_inputs/", "models/", "extra/", ".data/")
_SINGLE = ("archive_format", "archive_version", "byteorder")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,200}", re.ASCII)
# Lengths as SymPy writes them: `Mul(Integer(12), Symbol('s33', positive=True, integer=True))`. Powers are refused,
# because they can be arbitrarily large.
_SYMBOL = re.compile(r"Symbol\('[su]\d{1,6}'(, (positive|integer|nonnegative)=True)*\)|\b[su]\d{1,6}\b", re.ASCII)
_FUNCTION = re.compile(r"\b(Add|Mul|Integer|FloorDiv|CleanDiv|Mod|PythonMod|Max|Min)(?=\()", re.ASCII)
_ARITHMETIC = re.compile(r"([\d\s+,()-]|(?<!\*)\*(?!\*)){1,300}", re.ASCII)
# The exceptions that Python raises on JSON of an unexpected structure.
DAMAGE = (KeyError, TypeError, ValueError, IndexError, AttributeError, OverflowError)


@dataclass(frozen=True)
class ProgramArray:
    """An array in the file: a parameter, a buffer or a constant.

    Attributes:
        parameter: whether it is a parameter.
        frozen: whether it is a parameter without gradients.
    """

    value: np.ndarray
    parameter: bool
    frozen: bool = False


@dataclass(frozen=True)
class ExportedProgram:
    """The content of a file.

    Attributes:
        graph: as in torch's schema: `nodes`, `inputs`, `outputs`, `tensor_values`, `sym_int_values`.
        inputs, outputs: the signature, with a specification for each input and output of the graph.
        arrays: by their names in the signature.
        document: the whole JSON document.
    """

    graph: Mapping[str, Any]
    inputs: list[dict[str, Any]]
    outputs: list[dict[str, Any]]
    arrays: Mapping[str, ProgramArray]
    document: Mapping[str, Any]


def read(path: Path) -> ExportedProgram:
    """Read a `.pt2` file; nothing in it is run or unpickled.

    Raises:
        FileError: the file has another format, was truncated, or would have to be unpickled or run.
    """
    what = str(path)
    if not path.is_file():
        raise FileError(f"no file at {path}")
    with safe_zip.open_checked(path, what) as archive:
        root = _root(archive, what)
        for member, expected in (("archive_format", _FORMAT), ("archive_version", _VERSION), ("byteorder", "little")):
            content = safe_zip.read(archive, root + member, what, max_size=100).decode("ascii", "replace").strip()
            if content != expected:
                raise FileError(f"{what} is no exported program that can be read: its {member} is {content!r}")
        document = safe_json.parse(
            safe_zip.read(archive, f"{root}models/model.json", what, max_size=PROGRAM.size),
            f"{what}: models/model.json",
            budget=PROGRAM,
        )
        try:
            arrays = _arrays(archive, root, "weights", what) | _arrays(archive, root, "constants", what)
            return _program(document, arrays, what)
        except DAMAGE as error:
            raise FileError(f"{what} is no exported program: {type(error).__name__} {str(error)[:100]}") from error


def _root(archive: zipfile.ZipFile, what: str) -> str:
    """Return the folder that contains everything in the archive, with a trailing slash."""
    names = archive.namelist()
    root = names[0].partition("/")[0] + "/" if names else ""
    for name in names:
        inner = name.removeprefix(root)
        if not name.startswith(root) or not (inner in _SINGLE or inner.startswith(_KNOWN)):
            raise FileError(f"{what}: {name!r} is not part of an exported program's graph; compiled code is not run")
    if f"{root}models/model.json" not in names or len([n for n in names if n.startswith(f"{root}models/")]) != 1:
        raise FileError(f"{what} is no exported program: expected one models/model.json in it")
    return root


def _arrays(archive: zipfile.ZipFile, root: str, kind: str, what: str) -> dict[str, ProgramArray]:
    """Read the arrays of one kind, "weights" or "constants"."""
    folder = f"{root}data/{kind}/"
    if f"{folder}model.pt" in archive.namelist():
        raise FileError(f"{what}: its {kind} are a pickle, which could run code: export it by torch 2.9 or later")
    content = safe_zip.read(archive, f"{folder}model_{kind}_config.json", what, max_size=DOCUMENT.size)
    config = safe_json.parse(content, f"{what}: {kind}")["config"]
    return {name: _array(archive, folder, name, meta, what) for name, meta in config.items()}


def _array(archive: zipfile.ZipFile, folder: str, name: str, meta: dict[str, Any], what: str) -> ProgramArray:
    if meta["use_pickle"] is not False or not str(meta["path_name"]).startswith(("weight_", "tensor_")):
        raise FileError(f"{what}: {name!r} is a pickled object, which could run code: only plain arrays are read")
    tensor = meta["tensor_meta"]
    if tensor["dtype"] not in _DTYPES:
        raise FileError(f"{what}: {name!r} has a dtype that NumPy does not have (torch dtype {tensor['dtype']})")
    content = safe_zip.read(archive, folder + meta["path_name"], what)
    dtype = np.dtype(_DTYPES[tensor["dtype"]])
    flat = np.frombuffer(content, dtype)
    shape, strides = (tuple(_length(each["as_int"]) for each in tensor[key]) for key in ("sizes", "strides"))
    start = _length(tensor["storage_offset"]["as_int"])
    if len(shape) != len(strides) or math.prod(shape) > flat.size:
        raise FileError(f"{what}: {name!r} claims shape {shape}, but the file has {flat.size:,} numbers for it")
    last = start + sum((length - 1) * step for length, step in zip(shape, strides, strict=True))
    if math.prod(shape) and last >= flat.size:
        raise FileError(f"{what}: {name!r} reaches beyond its {flat.size:,} numbers")
    steps = [step * dtype.itemsize for step in strides]
    view = np.lib.stride_tricks.as_strided(flat[start:], shape, steps, writeable=False)
    is_parameter = bool(meta["is_param"])
    return ProgramArray(np.array(view), is_parameter, is_parameter and tensor.get("requires_grad") is False)


def _length(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ValueError(f"{value!r} is no length")
    return value


def _program(document: dict[str, Any], arrays: dict[str, ProgramArray], what: str) -> ExportedProgram:
    major = document["schema_version"]["major"]
    if major != _SCHEMA:
        raise FileError(
            f"{what} has schema {major} of torch.export, but only schema {_SCHEMA} is supported: export it again"
        )
    module = document["graph_module"]
    graph, signature = module["graph"], module["signature"]
    inputs, outputs = signature["input_specs"], signature["output_specs"]
    for value in safe_json.objects_in([graph, inputs, outputs]):
        if any(not isinstance(name, str) or not _NAME.fullmatch(name) for name in _value_names(value)):
            raise FileError(f"{what}: the name of a value is not an identifier, and would be run as Python")
        if "expr_str" in value:
            _require_arithmetic(value["expr_str"], what)
    return ExportedProgram(graph, list(inputs), list(outputs), arrays, document)


def _value_names(value: dict[str, Any]) -> list[Any]:
    """Return the names of values that an object in the graph defines or uses."""
    names = [value["as_name"]] if "as_name" in value else []
    names += [
        each["name"] for key in ("as_tensor", "arg") if isinstance(each := value.get(key), dict) and "name" in each
    ]
    names += [each["name"] for each in value.get("as_tensors") or ()]
    if "target" in value and value.get("name") is not None:
        names.append(value["name"])
    for key in ("tensor_values", "sym_int_values", "sym_bool_values", "sym_float_values"):
        names += list(value.get(key) or ())
    return names


def _require_arithmetic(text: Any, what: str) -> None:
    """Raise a FileError unless a length is plain arithmetic with symbols, because SymPy evaluates it as Python."""
    if not isinstance(text, str) or not _ARITHMETIC.fullmatch(_FUNCTION.sub("", _SYMBOL.sub("1", text))):
        raise FileError(f"{what}: a length is {str(text)[:40]!r}, which would be run as Python")


# --- the file for PyTorch -----------------------------------------------------------------------------------


def clean(program: ExportedProgram) -> bytes:
    """Return a new file of the program: its operators and arrays, and nothing that torch would unpickle or run.

    The caller must have checked every operator. Inputs and outputs are tuples, in the order of the signature.
    """
    names = {name: f"w{number}" for number, name in enumerate(program.arrays)}
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for kind in ("weights", "constants"):
            config = {}
            for name in (name for name in program.arrays if _array_kind(program, name) == kind):
                file = f"{'weight' if kind == 'weights' else 'tensor'}_{names[name][1:]}"
                stored = program.arrays[name]
                archive.writestr(f"model/data/{kind}/{file}", stored.value.tobytes())
                config[names[name]] = _array_metadata(file, stored)
            archive.writestr(f"model/data/{kind}/model_{kind}_config.json", json.dumps({"config": config}))
        archive.writestr("model/models/model.json", json.dumps(_clean_json(program, names)))
        archive.writestr("model/data/sample_inputs/model.pt", b"")
        for name, text in (("archive_format", _FORMAT), ("archive_version", _VERSION), ("byteorder", sys.byteorder)):
            archive.writestr(f"model/{name}", text)
        archive.writestr("model/.data/version", "6")
    return buffer.getvalue()


def _array_kind(program: ExportedProgram, name: str) -> str:
    """Return the folder of an array: "constants" for constants and non-persistent buffers, else "weights"."""
    for each in program.inputs:
        (kind,) = each
        if kind == "tensor_constant" and each[kind]["tensor_constant_name"] == name:
            return "constants"
        if kind == "buffer" and each[kind]["buffer_name"] == name:
            return "weights" if each[kind]["persistent"] else "constants"
    return "weights"


def _array_metadata(file: str, stored: ProgramArray) -> dict[str, Any]:
    value = stored.value
    number = next(number for number, name in _DTYPES.items() if np.dtype(name) == value.dtype)
    return {
        "path_name": file,
        "is_param": stored.parameter,
        "use_pickle": False,
        "tensor_meta": {
            "dtype": number,
            "sizes": [{"as_int": length} for length in value.shape],
            "requires_grad": False,
            "device": {"type": "cpu", "index": None},
            "strides": [{"as_int": step // value.itemsize} for step in value.strides],
            "storage_offset": {"as_int": 0},
            "layout": 7,
        },
    }


def _clean_json(program: ExportedProgram, names: Mapping[str, str]) -> dict[str, Any]:
    """Return the JSON without guards, metadata and nested inputs, and with new names of the arrays."""
    inputs = [_rename_array(each, names) for each in program.inputs]
    leaf: dict[str, Any] = {"type": None, "context": None, "children_spec": []}
    input_count = sum("user_input" in each for each in inputs)
    arguments = _tuple_of([leaf] * input_count)
    nest = _tuple_of([arguments, {"type": "builtins.dict", "context": "[]", "children_spec": []}])
    call = {
        "fqn": "",
        "signature": {
            "inputs": [],
            "outputs": [],
            "in_spec": json.dumps([1, nest]),
            "out_spec": json.dumps([1, _tuple_of([leaf] * len(program.outputs))]),
            "forward_arg_names": None,
        },
    }
    graph = {**program.graph, "nodes": [{**node, "metadata": {}} for node in program.graph["nodes"]]}
    return {
        **{key: program.document[key] for key in ("opset_version", "range_constraints", "schema_version")},
        "graph_module": {
            "graph": graph,
            "signature": {"input_specs": inputs, "output_specs": program.outputs},
            "module_call_graph": [call],
            "metadata": {},
            "treespec_namedtuple_fields": {},
        },
        "verifiers": ["TRAINING"],
        "torch_version": str(program.document.get("torch_version", "")),
        "guards_code": [],
    }


def _tuple_of(children: list[dict[str, Any]]) -> dict[str, Any]:
    return {"type": "builtins.tuple", "context": "null", "children_spec": children}


def _rename_array(spec: dict[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    ((kind, value),) = spec.items()
    key = f"{kind}_name"
    return {kind: {**value, key: names[value[key]]}} if key in value else spec
